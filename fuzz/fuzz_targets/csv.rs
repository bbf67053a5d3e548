//! The readers of CSV files: the small table of section 2.2 and the house prices of section 4.10.
#![no_main]

use candle_core::Device;
use d2l_fuzz::Input;
use libfuzzer_sys::fuzz_target;
use mlp::house_prices::HousePrices;
use preliminaries::csv_table::{Kind, read_csv, to_tensor};

const COLUMNS: [(&str, Kind); 3] = [("rooms", Kind::Number), ("alley", Kind::Text), ("price", Kind::Number)];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else { return };
    let input = Input::new("houses.csv", data);
    if choice & 1 == 0 {
        match read_csv(input.path(), &COLUMNS) {
            Ok(frame) => {
                assert!(frame.width() == 3 && frame.height() > 0);
                let numbers = frame.select(["rooms", "price"]).expect("two columns");
                if let Ok(tensor) = to_tensor(&numbers, &Device::Cpu) {
                    assert_eq!(tensor.dims(), [frame.height(), 2]);
                }
            }
            Err(error) => input.named_in(&error.to_string()),
        }
    } else {
        match HousePrices::read(input.path(), input.path()) {
            Ok(_) => panic!("the training and the test file have different columns"),
            Err(error) => input.named_in(&format!("{error:#}")),
        }
    }
});
