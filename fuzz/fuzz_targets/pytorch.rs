//! The reader of PyTorch's files: tensors or an error that names the file; never code, never a panic that comes out.
#![no_main]

use candle_core::Device;
use d2l::checkpoint::read_pytorch;
use d2l_fuzz::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    // The reader catches the panics of a library of its own; libFuzzer's hook would end the program before it can.
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| {
        let input = Input::new("model.pt", data);
        for key in [None, Some("state_dict")] {
            match read_pytorch(input.path(), key, &Device::Cpu) {
                Ok(read) => assert!(read.tensors().values().all(|t| t.elem_count() <= data.len())),
                Err(error) => input.named_in(&error.to_string()),
            }
        }
    }
);
