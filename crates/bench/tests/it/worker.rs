//! The protocol that `cargo xtask bench` speaks, and the table that both sides share.

use bench::worker::{serve, time_steps};
use bench::workloads::WORKLOADS;

fn conversation(input: &str) -> anyhow::Result<Vec<serde_json::Value>> {
    let mut output = Vec::new();
    serve(&WORKLOADS[0], 1, 2, input.as_bytes(), &mut output)?;
    String::from_utf8(output)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

#[test]
fn a_worker_answers_each_number_of_steps() -> anyhow::Result<()> {
    let lines = conversation("2\n1\n")?;
    assert_eq!(lines.len(), 3);
    assert_eq!(
        (&lines[0]["name"], &lines[0]["parameters"], &lines[0]["threads"]),
        (&"softmax".into(), &7850.into(), &2.into())
    );
    assert_eq!(lines[1]["ms"].as_array().map(Vec::len), Some(2));
    assert_eq!(lines[2]["ms"].as_array().map(Vec::len), Some(1));
    let losses = [&lines[1], &lines[2]].map(|line| line["loss"].as_f64().unwrap_or(f64::NAN));
    assert!(losses[1] < losses[0], "it trains: {losses:?}");
    Ok(())
}

#[test]
fn other_commands_are_errors() {
    for command in ["0\n", "many\n", "\n"] {
        let error = conversation(command).expect_err("no number of steps").to_string();
        assert!(error.contains("a number of steps, at least 1"), "{error}");
    }
}

#[test]
fn the_same_seed_trains_the_same() -> anyhow::Result<()> {
    let losses = |seed| anyhow::Ok(time_steps(&mut WORKLOADS[0].training(seed)?, 2)?.loss);
    assert_eq!(losses(3)?, losses(3)?);
    assert_ne!(losses(3)?, losses(4)?);
    Ok(())
}

#[test]
fn what_has_no_net_tells_what_it_counted() -> anyhow::Result<()> {
    for name in ["multibox-target", "nms"] {
        let workload = WORKLOADS.iter().find(|workload| workload.name == name).expect(name);
        let mut work = workload.training(1)?;
        let count = time_steps(&mut work, 1)?.loss;
        assert!(work.parameters() == 0 && (1.0..5444.0).contains(&count), "{name}: {count}");
    }
    Ok(())
}

#[test]
fn pytorch_has_the_same_workloads_in_the_same_order() -> anyhow::Result<()> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/bench/workloads.py");
    let script = std::fs::read_to_string(script)?;
    let theirs = script.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\": lambda:"));
    let theirs: Vec<&str> = theirs.map(|(name, _)| name).collect();
    let ours: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
    assert_eq!(ours, theirs);
    Ok(())
}
