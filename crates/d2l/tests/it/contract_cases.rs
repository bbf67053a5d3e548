//! The kinds of training that the book has, each written as a section would write it: what its inner loop does stands in
//! the closure, everything else is the trainer's.

use std::cell::RefCell;

use d2l::data::{Arrays, Batches, Dataset, Repeat, from_fn};
use d2l::nn::Linear;
use d2l::ops::{binary_cross_entropy_with_logits, l1_loss, mse_loss, relu};
use d2l::optim::{Adam, ParameterGroup, schedule};
use d2l::prelude::*;
use d2l::random::normal;
use d2l::train::{BoxError, TrainError};

const CPU: Device = Device::Cpu;
type Outcome = std::result::Result<(), BoxError>;

fn line(random: &Random, n: usize) -> Result<(Tensor, Tensor)> {
    let x = normal(&mut random.stream(Purpose::Sampling, "features"), 0.0, 1.0, (n, 1), &CPU)?;
    let y = ((&x * 2.0)? + 1.0)?;
    Ok((x, y))
}

fn loader(random: &Random, x: &Tensor, y: &Tensor, batch_size: usize) -> std::result::Result<Loader<Arrays>, BoxError> {
    Ok(Loader::new(Arrays::new(x, y)?, batch_size, &CPU)?.shuffled(random.stream(Purpose::Shuffling, "examples")))
}

/// Sections 17.1 and 17.2: two optimizers in a step, labels made in it, noise drawn in it, samples at some epochs.
#[test]
fn a_generator_and_a_discriminator() -> Outcome {
    let random = Random::new(1);
    let (real, _) = line(&random, 64)?;
    let mut data = loader(&random, &real, &((&real * 0.5)? + 3.0)?, 8)?;
    let parameters = Parameters::new(&random, &CPU);
    let vb = parameters.builder();
    let (generator, discriminator) = (Linear::new(1, 1, &vb.pp("g"))?, Linear::new(1, 1, &vb.pp("d"))?);
    let of = |part: &str| {
        let named = parameters.trained().into_iter().filter(|(name, _)| name.starts_with(part));
        ParameterGroup::new(named.collect())
    };
    let (mut trainer_d, mut trainer_g) = (Adam::new(of("d"), 0.05), Adam::new(of("g"), 0.05));
    let mut noise = random.stream(Purpose::Steps, "noise");
    let samples = RefCell::new(Vec::new());
    let fixed = Tensor::new(&[[0f32], [1.0]], &CPU)?;
    let history = Trainer::new(4)
        .random(&random)
        .with(&parameters)
        .with(&trainer_d)
        .with(&trainer_g)
        .each_epoch(|epoch| {
            if epoch.every(2) {
                samples.borrow_mut().push(generator.forward(&fixed)?.flatten_all()?.to_vec1::<f32>()?);
            }
            Ok(())
        })
        .run(&mut data, |step, (_, x)| {
            let (ones, zeros) = (x.ones_like()?, x.zeros_like()?);
            let z = normal(&mut noise, 0.0, 1.0, x.dims(), &CPU)?;
            let fake = generator.forward(&z)?;
            let loss = |x: &Tensor, label: &Tensor| {
                binary_cross_entropy_with_logits(&discriminator.forward(x)?, label, Reduction::Mean)
            };
            let loss_d = ((loss(&x, &ones)? + loss(&fake.detach(), &zeros)?)? / 2.0)?;
            trainer_d.minimize(&loss_d)?;
            let loss_g = loss(&fake, &ones)?;
            trainer_g.minimize(&loss_g)?;
            let n = x.dim(0)? as f64;
            step.count(x.dim(0)?);
            step.metric("loss_d", n * f64::from(loss_d.to_scalar::<f32>()?), n)?;
            step.metric("loss_g", n * f64::from(loss_g.to_scalar::<f32>()?), n)
        })?;
    assert_eq!((history.names(), samples.borrow().len()), (vec!["loss_d", "loss_g"], 2));
    Ok(())
}

/// Section 13.7: a loss of classes and one of boxes, an error of each, targets computed in the step, several arrays a
/// minibatch.
#[test]
fn several_losses_and_errors_from_images_with_boxes() -> Outcome {
    struct Scenes;
    impl Dataset for Scenes {
        /// Features, classes, boxes.
        type Batch = (Tensor, Tensor, Tensor);

        fn len(&self) -> usize {
            32
        }

        fn batch(&self, indices: &[usize], device: &Device) -> Result<Self::Batch> {
            let x: Vec<f32> = indices.iter().map(|&i| i as f32 / 16.0 - 1.0).collect();
            let classes: Vec<u32> = x.iter().map(|&x| u32::from(x > 0.0)).collect();
            let x = Tensor::from_vec(x, (indices.len(), 1), device)?;
            Ok((x.clone(), Tensor::new(classes, device)?, x.broadcast_as((indices.len(), 4))?.contiguous()?))
        }
    }
    let random = Random::new(2);
    let mut scenes = Loader::new(Scenes, 8, &CPU)?.shuffled(random.stream(Purpose::Shuffling, "scenes")).prefetched();
    let parameters = Parameters::new(&random, &CPU);
    let vb = parameters.builder();
    let (class_head, box_head) = (Linear::new(1, 2, &vb.pp("class"))?, Linear::new(1, 4, &vb.pp("box"))?);
    let mut optimizer = Adam::new(&parameters, 0.1);
    let history = Trainer::new(10).random(&random).with(&parameters).with(&optimizer).run(
        &mut scenes,
        |step, (x, classes, boxes)| {
            let targets = (&boxes * 0.5)?; // what the step computes from the boxes
            let (class_logits, offsets) = (class_head.forward(&x)?, box_head.forward(&x)?);
            let class_loss = cross_entropy(&class_logits, &classes, Reduction::Mean)?;
            let box_loss = l1_loss(&offsets, &targets, Reduction::Mean)?;
            optimizer.minimize(&(&class_loss + &box_loss)?)?;
            let n = classes.elem_count() as f64;
            step.accuracy(&class_logits, &classes)?;
            step.metric("box_mae", n * f64::from(box_loss.to_scalar::<f32>()?), n)?;
            step.loss(&class_loss, classes.elem_count())
        },
    )?;
    assert!(history.last("train_acc") > Some(0.9) && history.last("box_mae") < Some(0.2), "{history:?}");
    Ok(())
}

/// Section 14.10: so many steps, whatever that is in epochs, two losses averaged over them.
#[test]
fn a_fixed_number_of_steps() -> Outcome {
    let random = Random::new(3);
    let (x, y) = line(&random, 40)?;
    let mut data = loader(&random, &x, &y, 8)?;
    let parameters = Parameters::new(&random, &CPU);
    let net = Linear::new(1, 1, &parameters.builder())?;
    let mut optimizer = Adam::new(&parameters, 0.1);
    let mut steps = 0;
    let history = Trainer::steps(12).random(&random).with(&parameters).run(&mut data, |step, (x, y)| {
        let loss = mse_loss(&net.forward(&x)?, &y, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        steps += 1;
        step.metric("next_sentence_loss", 1.0, 1.0)?;
        step.loss(&loss, y.elem_count())
    })?;
    assert_eq!((steps, history.epochs().len()), (12, 3));
    assert!(history.last("next_sentence_loss") == Some(1.0) && history.last("train_loss").is_some());
    Ok(())
}

/// So many steps also where an epoch has fewer minibatches than it could have, and the last epoch says that it is.
#[test]
fn a_fixed_number_of_steps_over_epochs_of_any_length() -> Outcome {
    let mut epoch = 0;
    let mut data = from_fn(5, move || {
        epoch += 1;
        Ok((0..[3, 5, 4, 5][epoch % 4]).map(|_| Ok(())))
    });
    let (mut steps, mut last) = (0, Vec::new());
    let trainer = Trainer::steps(13).each_epoch(|epoch| {
        last.push(epoch.is_last());
        Ok(())
    });
    let history = trainer.run(&mut data, |step, ()| {
        steps += 1;
        step.metric("loss", 1.0, 1.0)
    })?;
    assert_eq!((steps, history.steps()), (13, 13)); // 5 + 4 + 4 of 5
    assert_eq!(last, [false, false, true]);
    let empty = Trainer::steps(1).run(&mut from_fn(1, || Ok(std::iter::empty::<Result<()>>())), |_, ()| Ok(()));
    assert!(empty.expect_err("nothing to train on").to_string().contains("epoch 1 has no minibatches"));
    Ok(())
}

/// A figure of an epoch's end that is no number ends the training, and says which and when.
#[test]
fn an_evaluation_that_is_no_number() {
    let trainer = Trainer::new(3).each_epoch(|epoch| epoch.metric("test_loss", f64::NAN));
    let error = trainer.run(&mut Repeat(2), |step, ()| step.metric("loss", 1.0, 1.0)).expect_err("no number");
    assert!(matches!(&error, TrainError::Diverged { what, epoch: 1, step: 2, .. } if what == "test_loss"), "{error}");
}

/// Sections 13.2 and 13.14: a head at ten times the rate, a frozen body, weight decay by group, a rate that falls.
#[test]
fn groups_and_frozen_parts() -> Outcome {
    let random = Random::new(4);
    let (x, y) = line(&random, 40)?;
    let mut data = loader(&random, &x, &y, 8)?;
    let parameters = Parameters::new(&random, &CPU);
    let net = Sequential::with_parameters(&parameters.builder())
        .layer("frozen", |vb| Linear::new(1, 8, vb))?
        .add(relu)
        .layer("body", |vb| Linear::new(8, 8, vb))?
        .add(relu)
        .layer("head", |vb| Linear::new(8, 1, vb))?;
    let part = |name: &str| parameters.trained().into_iter().filter(|(full, _)| full.starts_with(name)).collect();
    let groups = [
        ParameterGroup::new(part("body")).weight_decay(0.01),
        ParameterGroup::new(part("head")).learning_rate_factor(10.0),
    ];
    let before = parameters.get("frozen.weight").expect("a weight").flatten_all()?.to_vec1::<f32>()?;
    let mut optimizer = Sgd::new(groups, 0.01);
    let history =
        Trainer::new(6).random(&random).with(&parameters).with(&optimizer).run(&mut data, |step, (x, y)| {
            optimizer.set_learning_rate(schedule::step(0.01, step.epoch() - 1, 2, 0.5));
            let loss = mse_loss(&net.forward_t(&x, true)?, &y, Reduction::Mean)?;
            optimizer.minimize(&loss)?;
            step.loss(&loss, y.elem_count())
        })?;
    let losses = history.metric("train_loss");
    assert!(losses[5] < losses[0], "{losses:?}");
    assert_eq!(parameters.get("frozen.weight").expect("a weight").flatten_all()?.to_vec1::<f32>()?, before);
    assert!((optimizer.learning_rate() - 0.0025).abs() < 1e-12);
    Ok(())
}

/// Sections 16.6 and 16.7: triplets whose wrong item is drawn anew each epoch; two metrics over all users every epoch.
#[test]
fn ranking_with_negative_sampling() -> Outcome {
    /// One user, one item that they took, one that they did not: drawn as an epoch begins.
    struct Triplets {
        wrong: Stream,
    }
    impl Batches for Triplets {
        type Batch = (u32, u32, u32);

        fn batches(&self) -> usize {
            6
        }

        fn epoch(&mut self) -> impl Iterator<Item = Result<Self::Batch>> {
            use rand::Rng;
            let drawn: Vec<u32> = (0..6).map(|_| self.wrong.random_range(6..12)).collect();
            (0..6).zip(drawn).map(|(user, wrong)| Ok((user, user, wrong)))
        }
    }
    let random = Random::new(5);
    let wrong = random.stream(Purpose::Steps, "negative items");
    let draws = RefCell::new(Vec::new());
    let history = Trainer::new(3)
        .random(&random)
        .each_epoch(|epoch| {
            epoch.metric("hit_rate", 0.5)?;
            epoch.metric("auc", 0.75)
        })
        .run(&mut Triplets { wrong }, |step, (_, right, wrong)| {
            draws.borrow_mut().push((step.epoch(), wrong));
            step.count(1);
            step.metric("bpr_loss", f64::from(wrong - right), 1.0)
        })?;
    assert_eq!(history.names(), ["bpr_loss", "hit_rate", "auc"]);
    let of = |epoch: usize| draws.borrow().iter().filter(|(e, _)| *e == epoch).map(|(_, w)| *w).collect::<Vec<_>>();
    assert_ne!(of(1), of(2));
    Ok(())
}

/// Section 13.12: an image is optimized, without data; a picture every so many steps; a rate that falls.
#[test]
fn optimizing_an_input() -> Outcome {
    let image = Var::zeros((1, 3, 4, 4), DType::F32, &CPU)?;
    let content = Tensor::full(0.5f32, (1, 3, 4, 4), &CPU)?;
    let mut optimizer = Adam::new([&image], 0.3);
    let pictures = RefCell::new(0);
    let history = Trainer::new(50)
        .with(&optimizer)
        .each_epoch(|epoch| {
            *pictures.borrow_mut() += usize::from(epoch.every(10));
            Ok(())
        })
        .run(&mut Repeat(1), |step, ()| {
            optimizer.set_learning_rate(schedule::step(0.3, step.epoch() - 1, 20, 0.8));
            let loss = mse_loss(&image, &content, Reduction::Mean)?;
            optimizer.minimize(&loss)?;
            step.loss(&loss, 1)
        })?;
    assert!(history.last("train_loss") < Some(1e-3) && *pictures.borrow() == 5);
    Ok(())
}

/// Sections 11.1 to 11.8: two numbers and no tensor; a trace of points.
#[test]
fn two_dimensions_without_tensors() -> Outcome {
    let (mut x1, mut x2) = (-5.0f64, -2.0f64);
    let history = Trainer::new(20).run(&mut Repeat(1), |step, ()| {
        (x1, x2) = (x1 - 0.1 * 0.2 * x1, x2 - 0.1 * 4.0 * x2);
        step.metric("x1", x1, 1.0)?;
        step.metric("x2", x2, 1.0)
    })?;
    let trace: Vec<(f64, f64)> = history.metric("x1").into_iter().zip(history.metric("x2")).collect();
    assert!(trace.len() == 20 && trace[19].1.abs() < 0.01);
    Ok(())
}

/// Section 11.5: the loss over all examples every 200 of them, with the seconds so far.
#[test]
fn the_loss_against_time() -> Outcome {
    let random = Random::new(6);
    let (x, y) = line(&random, 1000)?;
    let mut data = loader(&random, &x, &y, 100)?;
    let w = Var::zeros((1, 1), DType::F32, &CPU)?;
    let history = Trainer::new(2).random(&random).with(&w).run(&mut data, |step, (features, labels)| {
        let loss = mse_loss(&features.matmul(&w)?, &labels, Reduction::Mean)?;
        let grads = backward(&loss)?;
        w.set(&(w.as_detached_tensor() - (grads.get(&w)? * 0.1)?)?)?; // the section's own update
        if step.number() % 2 == 0 {
            let all = || mse_loss(&x.matmul(&w)?.detach(), &y, Reduction::Mean)?.to_scalar::<f32>();
            step.measure("loss", || Ok(f64::from(all()?)))?;
        }
        step.loss(&loss, labels.elem_count())
    })?;
    let marked = history.points().iter().filter(|point| point.metrics[0].0 == "loss");
    let seconds: Vec<f64> = marked.map(|point| point.seconds).collect();
    assert!(seconds.len() == 10 && seconds.windows(2).all(|pair| pair[0] <= pair[1]), "{seconds:?}");
    Ok(())
}

/// Section 12.5: shards of a minibatch, their gradients summed before the update.
#[test]
fn several_devices() -> Outcome {
    let random = Random::new(7);
    let (x, y) = line(&random, 32)?;
    let train = |shards: usize| -> std::result::Result<Vec<f32>, BoxError> {
        let mut data = loader(&random, &x, &y, 8)?;
        let w = Var::zeros((1, 1), DType::F32, &CPU)?;
        let mut optimizer = Sgd::new([&w], 0.01);
        Trainer::new(3).random(&random).with(&optimizer).run(&mut data, |step, (x, y)| {
            let mut sum: Option<d2l::ops::Gradients> = None;
            let mut total = 0.0;
            for (x, y) in x.chunk(shards, 0)?.iter().zip(y.chunk(shards, 0)?) {
                let loss = mse_loss(&x.matmul(&w)?, &y, Reduction::Sum)?;
                total += f64::from(loss.to_scalar::<f32>()?);
                let mut grads = backward(&loss)?;
                if let Some(before) = &sum {
                    grads.set(&w, (grads.get(&w)? + before.get(&w)?)?);
                }
                sum = Some(grads);
            }
            if let Some(grads) = &sum {
                optimizer.step(grads)?;
            }
            step.count(y.elem_count());
            step.metric("train_loss", total, y.elem_count() as f64)
        })?;
        Ok(w.flatten_all()?.to_vec1()?)
    };
    let (one, four) = (train(1)?, train(4)?);
    assert!((one[0] - four[0]).abs() < 1e-5, "{one:?} {four:?}");
    Ok(())
}

/// Evaluation records no graph, drops nothing and moves no statistic.
#[test]
fn evaluation_leaves_everything_as_it_is() -> Outcome {
    use d2l::nn::{BatchNorm, Dropout};
    use d2l::ops::BatchNormConfig;
    let random = Random::new(8);
    let parameters = Parameters::new(&random, &CPU);
    let net = Sequential::with_parameters(&parameters.builder())
        .layer("norm", |vb| BatchNorm::new(2, BatchNormConfig::default(), vb))?
        .layer("dropout", |vb| Dropout::new(0.5, vb))?;
    let x = normal(&mut random.stream(Purpose::Sampling, "x"), 3.0, 1.0, (16, 2), &CPU)?;
    let y = Tensor::zeros(16, DType::U32, &CPU)?;
    let statistics = || parameters.get("norm.running_mean").expect("a buffer").to_vec1::<f32>();
    let before = statistics()?;
    let mut data = Loader::new(Arrays::new(&x, &y)?, 4, &CPU)?;
    let accuracy = evaluate_accuracy(&net, &mut data)?;
    assert_eq!((statistics()?, evaluate_accuracy(&net, &mut data)?), (before, accuracy));
    Ok(())
}

/// Many trainings, one of them broken: the error of a step keeps its kind.
#[test]
fn an_error_in_a_step_is_the_trainings() {
    let error = Trainer::new(1).run(&mut Repeat(1), |_, ()| Err("a shape that does not fit".into()));
    assert!(error.expect_err("it failed").to_string().contains("does not fit"));
    let nested = Trainer::new(1).run(&mut Repeat(1), |_, ()| {
        Trainer::new(1).run(&mut Repeat(1), |step, ()| step.metric("loss", f64::NAN, 1.0))?;
        Ok(())
    });
    assert!(matches!(nested, Err(TrainError::Diverged { .. })));
}
