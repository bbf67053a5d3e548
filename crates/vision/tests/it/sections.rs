//! Every section runs at smoke scale, and what trains learns.

use std::fs;
use std::path::Path;

use d2l::data::Source as _;
use d2l::notebook::{DataOrigin, RunRecord};
use d2l::optim::ParameterGroup;
use d2l::prelude::*;
use d2l_testing::smoke::{self, by_epoch, figures, text, value};
use vision::CHAPTER;
use vision::augmentation::{Compose, Resize};
use vision::cifar10::LABELS;
use vision::hotdog::HotDogs;
use vision::labeled_pictures::{LabeledPictures, TransformedPictures};
use vision::pretrained::Architecture;
use vision::sections::neural_style::LOSSES;

const CPU: Device = Device::Cpu;

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    smoke::run(&CHAPTER, section, flags)
}

/// Holds that a run is on the sample and drew so many figures.
fn shown(record: &RunRecord, count: usize) {
    assert_eq!((record.data, figures(record)), (DataOrigin::Sample, count), "{}", record.section);
}

/// A metric after the first and after the last epoch; each is a finite number.
fn first_and_last(record: &RunRecord, name: &str) -> (f64, f64) {
    let values = by_epoch(record, name);
    assert!(values.len() > 1 && values.iter().all(|value| value.is_finite()), "{name}: {values:?}");
    (values[0], values[values.len() - 1])
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    let expected: Vec<String> = (1..=14).map(|section| format!("13.{section}")).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn a_residual_net_learns_with_mirror_images_and_without() -> anyhow::Result<()> {
    let flags = ["--examples", "250", "--batch-size", "16", "--num-epochs", "4", "--lr", "0.003"];
    let record = run("image-augmentation", &flags)?;
    shown(&record, 12);
    for name in ["flipped", "plain"] {
        // ln 10 = 2.3 is the loss of guessing. PyTorch ended between 0.7 and 1.2 with eight seeds.
        let (first, last) = first_and_last(&record, &format!("train_loss_{name}"));
        assert!(last < 1.6 && last < first - 0.4, "{name}: {first}, {last}");
        assert!(value(&record, &format!("test_acc_{name}")) > 0.2, "{name}: {:?}", record.metrics);
    }
    assert!(value(&record, "gain").abs() <= 1.0);
    Ok(())
}

#[test]
fn both_nets_are_shown_hot_dogs() -> anyhow::Result<()> {
    // Parts of pictures cut at random, and a net without weights from elsewhere: in the seconds of a test it learns no
    // more than chance (PyTorch's losses stay around ln 2 = 0.69). The next test holds that a net learns.
    let record = run("fine-tuning", &["--lr", "0.0003", "--lr-scratch", "0.003"])?;
    shown(&record, 4);
    assert!(text(&record, "Reading the dataset").contains("48 training and 24 test pictures"));
    assert!(text(&record, "Fine-tuning the model").contains("16 of 48 training pictures"));
    for name in ["fine-tuned", "scratch"] {
        let loss = value(&record, &format!("train_loss_{name}"));
        assert!((0.1..3.0).contains(&loss), "{name}: {loss}");
        let accuracy = value(&record, &format!("test_acc_{name}"));
        assert!((0.0..=1.0).contains(&accuracy), "{name}: {accuracy}");
    }
    Ok(())
}

#[test]
fn a_net_of_torchvisions_learns_the_drawn_hot_dogs() -> anyhow::Result<()> {
    let architecture = Architecture::ResNet18;
    let random = Random::new(1);
    let HotDogs { train, test, .. } = HotDogs::sample()?;
    let served = |pictures: LabeledPictures| {
        let transform = Compose::new().then(Resize(32, 32));
        let draws = random.stream(Purpose::Steps, "none");
        TransformedPictures::new(pictures, transform, architecture.normalization(), draws)
    };
    let shuffle = random.stream(Purpose::Shuffling, "training pictures");
    let mut train = Loader::new(served(train), 8, &CPU)?.shuffled(shuffle);
    let mut test = Loader::new(served(test), 8, &CPU)?;
    let parameters = Parameters::new(&random, &CPU);
    let net = architecture.net(2, "hotdog", false, &parameters.builder())?;
    let (output, body): (Vec<_>, Vec<_>) =
        parameters.trained().into_iter().partition(|(name, _)| name.starts_with("hotdog"));
    assert_eq!((output.len(), body.len()), (2, 60));
    let groups = vec![ParameterGroup::new(body), ParameterGroup::new(output).learning_rate_factor(2.0)];
    let mut optimizer = Sgd::new(groups, 5e-4);
    let trainer = Trainer::new(5).random(&random).with(&parameters);
    let history = trainer.fit_classifier(&net, &mut train, &mut test, &mut optimizer)?;
    let losses = history.metric("train_loss");
    // PyTorch ended below 0.3 with each of six seeds and two thirds of the pictures.
    assert!(losses[0] > 0.4 && losses[4] < 0.4, "{losses:?}");
    Ok(())
}

#[test]
fn boxes_by_corners_and_by_centers_say_the_same() -> anyhow::Result<()> {
    let record = run("bounding-box", &[])?;
    shown(&record, 2);
    let said = text(&record, "Bounding boxes");
    assert!(said.contains("left: 60.0") && said.contains("x: 219.0") && said.contains("y: 280.5"), "{said}");
    Ok(())
}

#[test]
fn the_books_anchors_labels_and_detections_are_shown() -> anyhow::Result<()> {
    let record = run("anchor", &[])?;
    shown(&record, 4);
    assert_eq!((value(&record, "anchors"), value(&record, "boxes_left")), (2_042_040.0, 2.0));
    assert!(value(&record, "offset_error") < 1e-5, "{:?}", record.metrics);
    let numbers = |title: &str, line: &str| -> Vec<String> {
        let line = text(&record, title).lines().find(|said| said.starts_with(line)).expect("the line");
        line.split_whitespace().filter(|word| word.parse::<f64>().is_ok()).map(String::from).collect()
    };
    assert_eq!(numbers("The anchors of one pixel", "the first one"), ["0.06", "0.07", "0.63", "0.82"]);
    assert_eq!(numbers("Labeling classes and offsets", "classes"), ["0", "1", "2", "0", "2"]);
    let assigned = text(&record, "Assigning ground-truth bounding boxes to anchor boxes");
    let expected = ["nothing", "dog", "cat", "nothing", "cat"];
    let lines = expected.iter().enumerate().map(|(anchor, truth)| format!("anchor {anchor}: {truth}\n"));
    assert_eq!(assigned, lines.collect::<String>());
    Ok(())
}

#[test]
fn few_anchors_at_three_scales() -> anyhow::Result<()> {
    let record = run("multiscale-object-detection", &[])?;
    shown(&record, 3);
    assert_eq!(value(&record, "anchors"), 63.0);
    Ok(())
}

#[test]
fn the_detection_set_is_shown() -> anyhow::Result<()> {
    let record = run("object-detection-dataset", &["--batch-size", "4"])?;
    shown(&record, 1);
    assert_eq!(value(&record, "training_pictures"), 32.0);
    assert!(text(&record, "A minibatch").contains("[4, 3, 256, 256]"));
    Ok(())
}

#[test]
fn the_detector_learns_with_the_books_loss_and_with_hard_negatives() -> anyhow::Result<()> {
    let books = ["--lr", "0.2", "--hard-negatives", "0"];
    let authors = ["--lr", "0.05", "--hard-negatives", "3"];
    for flags in [books, authors] {
        let record = run("ssd", &[&flags[..], &["--num-epochs", "6"]].concat())?;
        shown(&record, 5);
        assert_eq!(value(&record, "anchors"), 5_444.0);
        // PyTorch ended below a sixth of the first epoch's loss with six seeds each: background is learned first.
        let (first, last) = first_and_last(&record, "train_loss");
        assert!(last < first / 3.0, "{flags:?}: {first}, {last}");
        let (first, last) = first_and_last(&record, "class_err");
        assert!(last < 0.02 && last < first / 3.0, "{flags:?}: {first}, {last}");
        let (first, last) = first_and_last(&record, "bbox_mae");
        assert!(last < first, "{flags:?}: {first}, {last}");
        assert!((0.0..=1.0).contains(&value(&record, "average_precision")), "{flags:?}");
    }
    Ok(())
}

#[test]
fn detectors_of_two_stages_and_of_one_learn() -> anyhow::Result<()> {
    let record = run("rcnn", &["--num-epochs", "4", "--lr", "0.05"])?;
    shown(&record, 3);
    // PyTorch ended at 0.46 to 0.70 of the first epoch's loss, and at 0.1 to 0.2, with six seeds each.
    for (detector, share) in [("two-stages", 0.85), ("one-stage", 0.5)] {
        let (first, last) = first_and_last(&record, &format!("train_loss_{detector}"));
        assert!(last < share * first, "{detector}: {first}, {last}");
        assert!((0.0..=1.0).contains(&value(&record, &format!("average_precision_{detector}"))), "{detector}");
    }
    let pooled = text(&record, "Region of interest pooling");
    assert!(["5.", "6.", "9.", "10.", "11.", "13.", "15."].iter().all(|number| pooled.contains(number)), "{pooled}");
    Ok(())
}

#[test]
fn parts_of_pictures_and_their_masks_are_shown() -> anyhow::Result<()> {
    let record = run("semantic-segmentation-and-dataset", &[])?;
    shown(&record, 2);
    assert!(text(&record, "Colors and classes").contains("[128, 0, 0] aeroplane"));
    assert!(text(&record, "Which class each pixel has").contains("background"));
    // Two pictures to train with and one to validate with have 90 x 60 pixels.
    let read = text(&record, "Reading the dataset");
    assert!(read.contains("22 of 24 training pictures") && read.contains("11 of 12 validation pictures"), "{read}");
    assert_eq!(value(&record, "left_out"), 2.0);
    let batch = text(&record, "A minibatch");
    assert!(batch.contains("[4, 3, 64, 96]") && batch.contains("[4, 64, 96]"), "{batch}");
    Ok(())
}

/// The numbers of the tensor that a cell printed first.
fn tensor(record: &RunRecord, title: &str) -> Vec<f64> {
    let numbers = text(record, title).split("Tensor").next().unwrap_or_default();
    numbers.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn transposed_convolutions_have_the_books_numbers() -> anyhow::Result<()> {
    let record = run("transposed-conv", &[])?;
    assert_eq!((record.data, figures(&record)), (DataOrigin::None, 0));
    assert_eq!(tensor(&record, "Basic operation"), [0.0, 0.0, 1.0, 0.0, 4.0, 6.0, 4.0, 12.0, 9.0]);
    assert_eq!(text(&record, "The same as an operation").trim(), "difference = 0");
    assert_eq!(tensor(&record, "Padding"), [4.0]);
    let strided = [[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 2.0, 3.0], [0.0, 2.0, 0.0, 3.0], [4.0, 6.0, 6.0, 9.0]];
    assert_eq!(tensor(&record, "Strides"), strided.concat());
    let shapes = text(&record, "Multiple channels");
    assert!(
        shapes.contains("[1, 10, 16, 16] to [1, 20, 6, 6]") && shapes.contains("back = [1, 10, 16, 16]"),
        "{shapes}"
    );
    assert_eq!(tensor(&record, "Connection to matrix transposition"), [27.0, 37.0, 57.0, 67.0]);
    let spread = [27.0, 91.0, 74.0, 138.0, 400.0, 282.0, 171.0, 429.0, 268.0];
    assert_eq!(tensor(&record, "The transposed matrix times the result"), spread);
    assert!(value(&record, "difference") < 1e-5, "{:?}", record.metrics);
    Ok(())
}

#[test]
fn a_fully_convolutional_net_learns() -> anyhow::Result<()> {
    let record = run("fcn", &["--lr", "0.002", "--num-epochs", "4"])?;
    shown(&record, 3);
    assert!(text(&record, "Shapes").contains("[1, 3, 320, 480] to [1, 1280, 10, 15] to [1, 21, 320, 480]"));
    assert!(text(&record, "Initializing transposed convolutional layers").contains("[1, 3, 1122, 1456]"));
    assert!(text(&record, "Reading the dataset").contains("22 training and 11 validation pictures"));
    // ln 21 = 3.0 is the loss of guessing; that most is background is learned first.
    let (first, last) = first_and_last(&record, "train_loss");
    assert!(last < first, "{first}, {last}");
    for name in ["train_acc", "test_acc", "mean_iou"] {
        let shares = by_epoch(&record, name);
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{name}: {shares:?}");
    }
    assert!(value(&record, "gain").abs() <= 1.0);
    Ok(())
}

#[test]
fn a_style_that_counts_most_comes_nearer() -> anyhow::Result<()> {
    // With random weights the features are small, and what the style's loss says of them smaller: it is to count most.
    let weights = ["--style-weight", "100000", "--tv-weight", "0.1"];
    let record = run("neural-style", &[&weights[..], &["--num-epochs", "30", "--lr", "0.03"]].concat())?;
    shown(&record, 5);
    assert!(
        text(&record, "Preprocessing and postprocessing")
            .contains("[1, 3, 32, 48], and back again to the same bytes: true")
    );
    let features = text(&record, "Extracting features");
    assert!(features.contains("[1, 64, 32, 48]") && features.contains("[1, 512, 2, 3]"), "{features}");
    let said = text(&record, "Loss function");
    let before = LOSSES.map(|name| {
        let number = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = ")?.parse::<f64>().ok());
        number.unwrap_or_else(|| panic!("no {name}: {said}"))
    });
    let after = LOSSES.map(|name| value(&record, name));
    assert!(before[0] == 0.0 && after[0] > 0.0, "content: {before:?}, {after:?}");
    assert!(after[1] < 0.9 * before[1], "style: {before:?}, {after:?}");
    assert!(after.iter().sum::<f64>() < before.iter().sum::<f64>(), "{before:?}, {after:?}");
    Ok(())
}

/// The cells of the file to hand in that a run wrote, line by line after the header, which starts so.
fn handed_in(out: &Path, section: &str, header: &str) -> anyhow::Result<Vec<Vec<String>>> {
    let file = fs::read_to_string(out.join(section).join("submission.csv"))?;
    assert!(file.starts_with(header), "{file}");
    Ok(file.lines().skip(1).map(|line| line.split(',').map(String::from).collect()).collect())
}

#[test]
fn classes_of_small_pictures_are_handed_in() -> anyhow::Result<()> {
    let out = tempfile::tempdir()?;
    let flags = ["--examples", "250", "--num-epochs", "4", "--lr", "0.001"];
    let record = smoke::run_in(out.path(), &CHAPTER, "kaggle-cifar10", &flags)?;
    shown(&record, 3);
    assert!(text(&record, "Downloading the dataset").contains("250 training and 80 test pictures, 250 labels"));
    assert!(text(&record, "Organizing the dataset").contains("250 training pictures, of each class 2 of them"));
    for name in ["train_loss", "train_loss_all"] {
        let (first, last) = first_and_last(&record, name);
        assert!(last < first, "{name}: {first}, {last}");
    }
    for name in ["valid_acc", "submission_acc"] {
        assert!((0.0..=1.0).contains(&value(&record, name)), "{name}: {:?}", record.metrics);
    }
    assert!(text(&record, "Classifying the testing set and submitting results").contains("id,label\n1,"));
    let rows = handed_in(out.path(), "kaggle-cifar10", "id,label\n")?;
    let mut ids: Vec<String> = (1..=80).map(|number: u32| number.to_string()).collect();
    ids.sort();
    assert_eq!(rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), ids);
    assert!(rows.iter().all(|row| row.len() == 2 && LABELS.contains(&row[1].as_str())), "{rows:?}");
    Ok(())
}

#[test]
fn probabilities_of_breeds_are_handed_in() -> anyhow::Result<()> {
    // New views in every epoch, and two that are kept.
    for views in ["0", "2"] {
        let out = tempfile::tempdir()?;
        let flags = ["--kept-views", views, "--num-epochs", "2"];
        let record = smoke::run_in(out.path(), &CHAPTER, "kaggle-dog", &flags)?;
        shown(&record, 4);
        assert!(text(&record, "Downloading the dataset").contains("40 training and 8 test pictures, 40 labels"));
        assert!(text(&record, "Organizing the dataset").contains("to validate with = 1"));
        for name in ["train_loss", "valid_loss", "train_loss_untrained", "valid_loss_untrained", "train_loss_all"] {
            let (first, last) = first_and_last(&record, name);
            assert!(first > 0.0 && last > 0.0, "{name}: {first}, {last}");
        }
        // Both bodies have random weights.
        assert!(value(&record, "gain").abs() < 1.0, "{:?}", record.metrics);
        // The table has not the test pictures' breeds.
        assert!(!record.metrics.contains_key("submission_loss"), "{:?}", record.metrics);
        let rows = handed_in(out.path(), "kaggle-dog", "id,affenpinscher,afghan_hound,")?;
        assert_eq!(rows.len(), 8);
        for row in rows {
            let probabilities = row[1..].iter().map(|cell| cell.parse::<f64>()).collect::<Result<Vec<_>, _>>()?;
            let sum: f64 = probabilities.iter().sum();
            assert!(probabilities.len() == 120 && (sum - 1.0).abs() < 1e-3, "{row:?}");
        }
    }
    Ok(())
}

#[test]
fn what_is_wrong_with_a_folder_of_kaggles_is_named() -> anyhow::Result<()> {
    let sections =
        [("kaggle-cifar10", "trainLabels.csv", "id,label", "frog"), ("kaggle-dog", "labels.csv", "id,breed", "dingo")];
    for (section, table, header, known) in sections {
        let folder = tempfile::tempdir()?;
        for (part, picture) in [("train", "a.jpg"), ("test", "b.jpg")] {
            fs::create_dir(folder.path().join(part))?;
            fs::write(folder.path().join(part).join(picture), "no picture")?;
        }
        let path = folder.path().display().to_string();
        let message = || smoke::message(&CHAPTER, section, &["--folder", &path]);
        assert!(message().contains(table), "no labels: {}", message());
        fs::write(folder.path().join(table), format!("{header}\na,unicorn\n"))?;
        assert!(message().contains(table) && message().contains("unicorn"), "an unknown label: {}", message());
        fs::write(folder.path().join(table), format!("{header}\nb,{known}\n"))?;
        assert!(message().contains("a.jpg") && message().contains("no label"), "one without a label: {}", message());
    }
    Ok(())
}

#[test]
fn settings_out_of_their_range_are_named() {
    let cases = [
        ("image-augmentation", "--narrowing", "17", "at most 16"),
        ("image-augmentation", "--examples", "0", "at least 1"),
        ("fine-tuning", "--output-factor", "0", "above zero"),
        ("fine-tuning", "--weight-decay", "-0.1", "below zero"),
        ("fine-tuning", "--lr-scratch", "inf", "above zero"),
        ("fine-tuning", "--side", "32", "at least 64"),
        ("object-detection-dataset", "--batch-size", "0", "at least 1"),
        ("ssd", "--side", "63", "at least 64"),
        ("ssd", "--lr", "-0.2", "above zero"),
        ("ssd", "--momentum", "1", "below 1"),
        ("rcnn", "--side", "513", "at most 512"),
        ("rcnn", "--num-epochs", "1.5", "whole number"),
        ("semantic-segmentation-and-dataset", "--crop-height", "31", "at least 32"),
        ("fcn", "--output-factor", "0", "above zero"),
        ("neural-style", "--height", "15", "at least 16"),
        ("kaggle-cifar10", "--narrowing", "17", "at most 16"),
        ("kaggle-dog", "--kept-views", "65", "at most 64"),
        ("fcn", "--crop-height", "31", "at least 32"),
        ("kaggle-dog", "--side", "63", "at least 64"),
    ];
    for (section, flag, setting, range) in cases {
        let message = smoke::message(&CHAPTER, section, &[flag, setting]);
        assert!(message.contains(flag) && message.contains(range), "{section} {flag} {setting}: {message}");
    }
}

#[test]
fn a_training_that_diverges_says_so() {
    for section in ["ssd", "rcnn"] {
        let message = smoke::message(&CHAPTER, section, &["--lr", "1e30"]);
        assert!(message.contains("diverged") && message.contains("smaller learning rate"), "{section}: {message}");
    }
}

#[test]
fn every_layer_but_the_new_output_takes_the_weights_of_another_net() -> anyhow::Result<()> {
    let architectures =
        [Architecture::ResNet18, Architecture::ResNet34, Architecture::EfficientNetLite0, Architecture::SqueezeNet];
    for architecture in architectures {
        let (whole, tuned) = (Parameters::new(&Random::new(1), &CPU), Parameters::new(&Random::new(2), &CPU));
        architecture.net(10, architecture.output(), false, &whole.builder())?;
        architecture.net(2, "hotdog", false, &tuned.builder())?;
        let restored = tuned.restore_matching(&whole.snapshot()?)?;
        assert_eq!(restored.left.missing, ["hotdog.weight", "hotdog.bias"]);
        let output = ["bias", "weight"].map(|end| format!("{}.{end}", architecture.output()));
        let mut unexpected = restored.left.unexpected;
        unexpected.sort();
        assert_eq!(unexpected, output);
        assert_eq!(restored.loaded.len() + 2, tuned.named().len());
        for name in restored.loaded {
            let [theirs, ours] =
                [&whole, &tuned].map(|parameters| parameters.get(&name).expect("a parameter of that name"));
            let difference = (theirs.as_tensor() - ours.as_tensor())?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert_eq!(difference, 0.0, "{name}");
        }
    }
    Ok(())
}
