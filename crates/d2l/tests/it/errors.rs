//! An error says its cause once: in its own message, or as the cause that it gives, never in both.

use std::fs;
use std::path::Path;

use anyhow::Error;
use candle_core::Device;
use d2l::checkpoint::{Checkpoint, CheckpointError, read_pytorch};
use d2l::data::hub::{Hub, HubError};
use d2l::data::idx::Idx;
use d2l::data::{DataError, FraEng};
use d2l::text;

#[test]
fn a_cause_is_told_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (nowhere, file) = (Path::new("no/such/file"), folder.path().join("file"));
    fs::write(&file, "x").expect("written");
    let below = file.join("model");
    let candle = || candle_core::Error::Msg("candle's reason".into());
    let errors: [(Error, &str); 9] = [
        (Checkpoint::load(nowhere, &Device::Cpu).expect_err("no file").into(), "os error"),
        (read_pytorch(nowhere, None, &Device::Cpu).expect_err("no file").into(), "os error"),
        (Checkpoint::default().save(&below).expect_err("below a file").into(), "os error"),
        (text::read(nowhere).expect_err("no file").into(), "os error"),
        (FraEng::read(nowhere).expect_err("no file").into(), "os error"),
        (Idx::read(nowhere, 3).expect_err("no file").into(), "os error"),
        (DataError::read(nowhere, fs::read(nowhere).expect_err("no file")).into(), "os error"),
        (DataError::other(text::read(nowhere).expect_err("no file")).into(), "os error"),
        (
            CheckpointError::Tensor { path: nowhere.into(), name: "w".into(), reason: Box::new(candle()) }.into(),
            "candle's reason",
        ),
    ];
    for (error, cause) in errors {
        let told = format!("{error:#}");
        assert_eq!(told.matches(cause).count(), 1, "{told}");
    }
    let mut hub = Hub::new(&below);
    hub.offline = true;
    let error = hub.fetch("time_machine").expect_err("a cache below a file");
    assert!(matches!(error, HubError::Write { .. }), "{error}");
    let told = format!("{:#}", Error::from(error));
    assert_eq!(told.matches("os error").count(), 1, "{told}");
}
