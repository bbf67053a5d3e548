//! The checkpoint loader: tensors that can be read and saved again, or an error that names the file.
#![no_main]

use candle_core::{Device, Tensor};
use d2l::checkpoint::{self, Checkpoint};
use d2l::nn::{Linear, Parameters};
use d2l::random::{Purpose, Random};
use d2l_fuzz::Input;
use libfuzzer_sys::fuzz_target;

fn values(parameters: &Parameters) -> Vec<Vec<f32>> {
    let values = |tensor: &Tensor| tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32 values");
    parameters.named().iter().map(|(_, variable)| values(variable)).collect()
}

fuzz_target!(|data: &[u8]| {
    let input = Input::new("model.safetensors", data);
    let parameters = Parameters::new(Random::new(1).fork(Purpose::Initialization), &Device::Cpu);
    Linear::new(2, 1, &parameters.builder().pp("output")).expect("a layer");
    let before = values(&parameters);
    if let Err(error) = parameters.load(input.path()) {
        input.named_in(&error.to_string());
        assert_eq!(values(&parameters), before, "a refused file has changed the model");
    }
    match Checkpoint::load(input.path(), &Device::Cpu) {
        Ok(read) => {
            for tensor in read.tensors().values() {
                assert_eq!(tensor.elem_count(), tensor.dims().iter().product::<usize>());
            }
            let copy = input.beside("copy.safetensors");
            if read.save(&copy).is_ok() {
                let again = Checkpoint::load(&copy, &Device::Cpu).expect("what was saved can be read");
                assert!(again.tensors().keys().eq(read.tensors().keys()));
            }
        }
        Err(error) => input.named_in(&error.to_string()),
    }
    let _ = checkpoint::load_list(input.path(), &Device::Cpu);
});
