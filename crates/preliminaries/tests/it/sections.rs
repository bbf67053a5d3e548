//! Every section runs at smoke scale, and its results are what the book's formulas say.

use d2l::notebook::{DataOrigin, RunRecord};
use preliminaries::CHAPTER;
use tempfile::TempDir;

use d2l_testing::smoke;

use d2l_testing::smoke::{figures, text, value};

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    let record = smoke::run(&CHAPTER, section, flags)?;
    assert_eq!(record.data, DataOrigin::None);
    Ok(record)
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    assert_eq!(numbers, ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7"]);
}

#[test]
fn data_manipulation_tells_views_from_copies_and_refuses_what_does_not_fit() -> anyhow::Result<()> {
    let record = run("ndarray", &[])?;
    let table = text(&record, "What shares memory and what copies");
    let shared = |name: &str| {
        let row = table.lines().find(|line| line.trim_start().starts_with(name));
        row.unwrap_or_else(|| panic!("no row {name} in\n{table}")).ends_with("shared")
    };
    for view in
        ["x.clone()", "x.reshape((4, 3))", "x.t() ", "x.i(1..3)", "x.broadcast_as", "x.detach()", "x.to_dtype(f32)"]
    {
        assert!(shared(view), "{view}");
    }
    for copy in
        ["x.copy()", "x.t().contiguous()", "x.t().reshape", "x.i((.., [3, 0]))", "x.slice_assign", "x.to_dtype(u32)"]
    {
        assert!(!shared(copy), "{copy}");
    }
    assert!(text(&record, "A new name for a new result").ends_with("false\n"));
    assert!(text(&record, "A variable keeps its storage").starts_with("the same storage after z.set(x + y) = true"));
    for (cell, message) in [
        ("Another shape", "a shape that does not fit: "),
        ("Types do not mix", "f32 + u32: dtype mismatch"),
        ("Broadcasting", "a + b: shape mismatch"),
        ("Reading parts", "row 3 of 3: "),
        ("To a number", "of another type: unexpected dtype"),
    ] {
        let text = text(&record, cell);
        assert!(text.contains(message) && !text.contains("no error"), "{text}");
    }
    Ok(())
}

#[test]
fn preprocessing_fills_the_gaps() -> anyhow::Result<()> {
    let record = run("pandas", &[])?;
    let x = text(&record, "Conversion to tensors");
    assert!(x.contains("Tensor[[4, 3], f32]") && x.contains("[3., 1., 0.]"), "{x}");
    assert!(text(&record, "Dropping the column with the most missing values").ends_with("dropped = PoolArea\n"));
    assert!(text(&record, "From eight houses to tensors").contains("Tensor[[8, 8], f32]"));
    Ok(())
}

#[test]
fn linear_algebra_gives_the_books_norms() -> anyhow::Result<()> {
    let record = run("linear-algebra", &[])?;
    let norms = text(&record, "Norms");
    for norm in ["L2 norm of u = 5\n", "L1 norm of u = 7\n", "ones = 6\n"] {
        assert!(norms.contains(norm), "{norm} is not in\n{norms}");
    }
    assert!(text(&record, "Sums along an axis").contains("along both: 190"));
    Ok(())
}

#[test]
fn calculus_reaches_the_derivatives_and_draws_both_tangents() -> anyhow::Result<()> {
    let record = run("calculus", &[])?;
    assert_eq!(figures(&record), 2);
    assert!(text(&record, "The difference quotient").contains("h = 0.10000, numerical limit = 2.30000"));
    assert!(value(&record, "limit_error") < 5e-5 && value(&record, "slope_error") < 1e-6, "{:?}", record.metrics);
    Ok(())
}

#[test]
fn every_gradient_is_what_the_formula_says() -> anyhow::Result<()> {
    let record = run("autograd", &[])?;
    assert_eq!(figures(&record), 1);
    let all: String = record.cells.iter().map(|cell| cell.text.as_str()).collect();
    assert_eq!(all.matches("= true").count(), 3, "{all}");
    assert!(!all.contains("= false"), "{all}");
    assert!(value(&record, "sine_error") < 1e-6, "{:?}", record.metrics);
    Ok(())
}

#[test]
fn candle_keeps_the_graph_of_a_gradient_where_its_variable_is_set() -> anyhow::Result<()> {
    for (value, second) in [("0", "backward from it: 16,"), ("1", "backward from it: 48,")] {
        let out = TempDir::new()?;
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_preliminaries"));
        program.arg("autograd").arg("--out").arg(out.path()).env("CANDLE_GRAD_DO_NOT_DETACH", value);
        let printed = String::from_utf8(program.output()?.stdout)?;
        assert!(printed.contains(second), "{printed}");
    }
    Ok(())
}

#[test]
fn probabilities_settle_and_bayes_agrees_with_people() -> anyhow::Result<()> {
    let record = run("probability", &[])?;
    assert_eq!(figures(&record), 1);
    assert!(value(&record, "estimate_error") < 0.03, "{:?}", record.metrics);
    assert!((value(&record, "infected_after_first_test") - 0.1306).abs() < 5e-5);
    assert!((value(&record, "infected_after_both_tests") - 0.8307).abs() < 5e-5);
    assert!((value(&record, "infected_share_of_people") - 0.8307).abs() < 0.06, "{:?}", record.metrics);
    assert_eq!(figures(&run("probability", &["--num-groups", "1", "--group-size", "1", "--num-people", "1"])?), 1);
    Ok(())
}

#[test]
fn the_documentation_is_tried() -> anyhow::Result<()> {
    let record = run("lookup-api", &[])?;
    assert!(text(&record, "The functions of a module").contains("multinomial\n    Draws `count` outcomes"));
    assert!(text(&record, "Where the documentation is wrong").contains("an error, shape mismatch"));
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_draws_and_another_seed_others() -> anyhow::Result<()> {
    let run = |seed: u64| -> anyhow::Result<RunRecord> {
        CHAPTER.smoke_with_seed("probability", TempDir::new()?.path(), &["--num-people", "1000"], seed)
    };
    assert_eq!(text(&run(7)?, "Rolling a die"), text(&run(7)?, "Rolling a die"));
    assert_ne!(run(7)?.metrics, run(8)?.metrics);
    Ok(())
}

#[test]
fn wrong_settings_are_errors_that_name_the_flag() {
    for flag in ["--num-rolls", "--num-groups", "--group-size", "--num-people"] {
        let out = TempDir::new().expect("a temporary folder");
        let error = CHAPTER.smoke("probability", out.path(), &[flag, "0"]).expect_err("a wrong setting");
        assert!(error.to_string().contains(flag), "{error}");
    }
}
