//! The reader of CSV files: tables of columns that are told, columns found by their values, and the house prices of 4.10.
#![no_main]

use candle_core::Device;
use d2l_fuzz::Input;
use libfuzzer_sys::fuzz_target;
use mlp::house_prices::HousePrices;
use tables::{Csv, Kind, dummies, read_csv, to_tensor};

const COLUMNS: [(&str, Kind); 3] = [("rooms", Kind::Number), ("alley", Kind::Text), ("price", Kind::Number)];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else { return };
    let input = Input::new("houses.csv", data);
    match choice % 3 {
        0 => match Csv::read(input.path()).and_then(|csv| csv.frame(&COLUMNS)) {
            Ok(frame) => {
                assert!(frame.width() == 3 && frame.height() > 0);
                let numbers = frame.select(["rooms", "price"]).expect("two columns");
                if let Ok(tensor) = to_tensor(&numbers, &Device::Cpu) {
                    assert_eq!(tensor.dims(), [frame.height(), 2]);
                }
            }
            Err(error) => input.named_in(&error.to_string()),
        },
        1 => match HousePrices::read(input.path(), input.path()) {
            Ok(_) => panic!("the training and the test file have different columns"),
            Err(error) => input.named_in(&error.to_string()),
        },
        _ => match read_csv(input.path()) {
            Ok(frame) => {
                let dummies = dummies(&frame).expect("numbers and text");
                assert!(dummies.width() >= frame.width() && dummies.height() == frame.height());
            }
            Err(error) => input.named_in(&error.to_string()),
        },
    }
});
