//! Every section runs at smoke scale and shows what it says.

use computation::CHAPTER;
use d2l::notebook::{DataOrigin, RunRecord};

use d2l_testing::smoke;

use d2l_testing::smoke::{text, value};

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    let record = smoke::run(&CHAPTER, section, flags)?;
    assert_eq!(record.data, DataOrigin::None);
    Ok(record)
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    assert_eq!(numbers, ["5.1", "5.2", "5.3", "5.4", "5.5", "5.6"]);
}

#[test]
fn nets_are_built_in_five_ways() -> anyhow::Result<()> {
    let record = run("model-construction", &["--batch-size", "3"])?;
    for cell in &record.cells[..3] {
        assert!(cell.text.contains("Tensor[[3, 10], f32]"), "{}: {}", cell.title, cell.text);
    }
    let fixed = text(&record, "Code in the forward pass");
    assert!(
        fixed.contains("weight gets a gradient = true") && fixed.contains("the constant gets one = false"),
        "{fixed}"
    );
    assert!(fixed.contains("linear.weight [20, 20]") && !fixed.contains("constant ["), "{fixed}");
    let chimera = text(&record, "Blocks inside blocks");
    for line in ["nested  Nested", "nested.net.0.weight [64, 20]", "fixed.linear.bias [20]"] {
        assert!(chimera.contains(line), "{line} is not in: {chimera}");
    }
    Ok(())
}

#[test]
fn parameters_are_found_initialized_and_shared() -> anyhow::Result<()> {
    let record = run("parameters", &[])?;
    assert!(text(&record, "All parameters at once").contains("numbers in all = 49"));
    let nested = text(&record, "Parameters of nested blocks");
    assert_eq!(nested.matches("Sequential").count(), 5, "{nested}");
    let (access, name) = nested.split_once("the same by name").expect("both ways");
    let numbers = |text: &str| text.lines().find(|line| line.starts_with('[')).map(str::to_string);
    let by_layer = access.split_once("bias of its first layer").and_then(|(_, rest)| numbers(rest));
    assert!(by_layer.is_some());
    assert_eq!(by_layer, numbers(name));
    let built_in = text(&record, "Built-in initializers");
    assert!(built_in.contains("[1., 1., 1., 1.]") && built_in.contains("42., 42."), "{built_in}");
    assert!(text(&record, "Tied parameters").contains("equal after a change of one = true"));
    assert!(value(&record, "tied_gradient_difference") < 1e-5);
    Ok(())
}

#[test]
fn sizes_are_found_at_the_first_call() -> anyhow::Result<()> {
    let record = run("deferred-init", &["--inputs", "12"])?;
    assert_eq!(text(&record, "Instantiating a network").trim(), "no parameters yet");
    assert!(text(&record, "The first input").contains("0.weight [256, 12]"));
    let other = text(&record, "Another size of input");
    assert!(other.contains("in layer 0 (DeferredLinear)") && other.contains("0.weight [256, 13]"), "{other}");
    let numbers = text(&record, "What an initializer needs");
    assert!(numbers.contains("numbers before = 0") && numbers.contains("numbers after = 5898"), "{numbers}");
    Ok(())
}

#[test]
fn custom_layers_work_alone_and_in_nets() -> anyhow::Result<()> {
    let record = run("custom-layer", &[])?;
    assert!(text(&record, "A layer without parameters").contains("[-2., -1.,  0.,  1.,  2.]"));
    assert!(value(&record, "mean_after_centering") < 1e-6);
    assert!(text(&record, "A net of such layers").contains("ReluLinear"));
    Ok(())
}

#[test]
fn files_come_back_and_wrong_ones_are_refused() -> anyhow::Result<()> {
    let record = run("read-write", &[])?;
    assert_eq!(value(&record, "difference_after_loading"), 0.0);
    assert!(value(&record, "difference_from_pytorch") < 1e-6);
    let refused = text(&record, "Files that do not fit");
    for part in ["damaged", "unexpected in the file: output.bias, output.weight", "hidden.weight ([256, 20]"] {
        assert!(refused.contains(part), "{part} is not in: {refused}");
    }
    let fits = text(&record, "Only what fits");
    assert!(fits.contains("loaded = hidden.weight, hidden.bias") && fits.contains("output.weight"), "{fits}");
    Ok(())
}

#[test]
fn devices_are_listed_with_reasons() -> anyhow::Result<()> {
    let record = run("use-gpu", &[])?;
    assert!(text(&record, "Computing devices").contains("cpu = Cpu"));
    assert!(text(&record, "A net on a device").contains("weight on Cpu"));
    assert!(value(&record, "gflops") > 0.0);
    Ok(())
}

#[test]
fn wrong_settings_are_errors_that_name_the_flag() {
    let message = |section: &str, flags: &[&str]| smoke::message(&CHAPTER, section, flags);
    assert!(message("model-construction", &["--batch-size", "0"]).contains("--batch-size"));
    assert!(message("deferred-init", &["--inputs", "0"]).contains("--inputs"));
    assert!(message("use-gpu", &["--largest", "8"]).contains("--largest"));
}
