//! What competitions on Kaggle have in common: labels in a table, pictures to be sorted into folders, a file to hand in
//! (sections 13.13 and 13.14).

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{bail, ensure};
use d2l::data::DataError;

/// The folder of the test pictures, whose classes are not known.
pub const UNKNOWN: &str = "unknown";

/// Reads a table of two columns with a header: an id and its label, such as `trainLabels.csv`.
///
/// # Errors
/// Where the file cannot be read, or a line has not two columns, no id, no label, or an id that was there before; the
/// error names the file and the line.
pub fn read_csv_labels(path: &Path) -> Result<BTreeMap<String, String>, DataError> {
    let text = fs::read(path).map_err(|reason| DataError::read(path, reason))?;
    let fault = |line: u64, what: &str| DataError::invalid(format!("{}, line {line}: {what}", path.display()));
    // Lines of other lengths are told of here, where the file's name is known.
    let mut table = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_slice());
    let columns = table.headers().map_err(|error| fault(1, &error.to_string()))?.len();
    if columns != 2 {
        return Err(fault(1, &format!("{columns} columns where an id and a label are expected")));
    }
    let mut labels = BTreeMap::new();
    for (place, record) in table.records().enumerate() {
        let record = record.map_err(|error| fault(place as u64 + 2, &error.to_string()))?;
        let line = record.position().map_or(place as u64 + 2, csv::Position::line);
        let cells: Vec<&str> = record.iter().map(str::trim).collect();
        match cells[..] {
            [id, _] if labels.contains_key(id) => return Err(fault(line, &format!("the id {id} for the second time"))),
            ["", _] => return Err(fault(line, "no id")),
            [id, ""] => return Err(fault(line, &format!("no label for {id}"))),
            [id, label] => _ = labels.insert(id.to_string(), label.to_string()),
            _ => return Err(fault(line, &format!("{} columns where an id and a label are expected", cells.len()))),
        }
    }
    Ok(labels)
}

/// Holds that every label is one of `known`; `path` is the file that the labels were read from.
///
/// # Errors
/// Where one is not; the error names the file, the id and the label.
pub fn check_labels(path: &Path, labels: &BTreeMap<String, String>, known: &[&str]) -> Result<(), DataError> {
    match labels.iter().find(|(_, label)| !known.contains(&label.as_str())) {
        Some((id, label)) => {
            let (path, count) = (path.display(), known.len());
            Err(DataError::invalid(format!("{path}: {id} has the label {label}, which is none of the {count} classes")))
        }
        None => Ok(()),
    }
}

/// The files of a folder in the order of their names, hidden ones left out.
///
/// # Errors
/// Where the folder cannot be read or has no files.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let entries = fs::read_dir(folder).map_err(|reason| DataError::read(folder, reason))?;
    let paths = entries.map(|entry| Ok(entry.map_err(|reason| DataError::read(folder, reason))?.path()));
    let mut paths = paths.collect::<Result<Vec<_>, DataError>>()?;
    // What systems leave in folders is hidden, and no picture.
    let is_hidden = |path: &Path| path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    paths.retain(|path| path.is_file() && !is_hidden(path));
    paths.sort();
    if paths.is_empty() {
        return Err(DataError::invalid(format!("{} has no files", folder.display())));
    }
    Ok(paths)
}

/// The id that a picture's file is named after.
pub fn id_of(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Copies a file into a folder, which is made where it is not there.
///
/// # Errors
/// Where that cannot be done.
#[doc(alias = "copyfile")]
pub fn copy_file(file: &Path, folder: &Path) -> Result<(), DataError> {
    fs::create_dir_all(folder).map_err(|reason| DataError::read(folder, reason))?;
    let Some(name) = file.file_name() else {
        return Err(DataError::invalid(format!("{} is no file", file.display())));
    };
    fs::copy(file, folder.join(name)).map_err(|reason| DataError::read(file, reason))?;
    Ok(())
}

/// Copies training pictures into `target`: to `train_valid/<label>/` all, to `valid/<label>/` the first of each class,
/// to `train/<label>/` the others. Of each class as many are held out as the rarest one has times `valid_ratio`, at
/// least one; gives that number. The only picture of a class is not held out: a net that never saw one of its class could
/// not know it.
///
/// # Errors
/// Where a file has no label, a label cannot name a folder, or copying fails; the error names the file.
#[doc(alias = "reorg_train_valid")]
pub fn reorganize_train_valid(
    files: &[PathBuf],
    labels: &BTreeMap<String, String>,
    valid_ratio: f64,
    target: &Path,
) -> Result<usize, DataError> {
    let label_of = |file: &Path| {
        let Some(label) = labels.get(&id_of(file)) else {
            return Err(DataError::invalid(format!("{} has no label in the table", file.display())));
        };
        // A label is the name of one folder, and no way out of the target.
        let mut parts = Path::new(label).components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(_)), None) => Ok(label.as_str()),
            _ => Err(DataError::invalid(format!("{}: the label {label} cannot name a folder", file.display()))),
        }
    };
    let labeled = files.iter().map(|file| Ok((file, label_of(file)?))).collect::<Result<Vec<_>, DataError>>()?;
    // How many there are; of the table's labels only those count whose pictures are there.
    let mut counts = BTreeMap::<&str, usize>::new();
    for (_, label) in &labeled {
        *counts.entry(*label).or_default() += 1;
    }
    let rarest = counts.values().copied().min().unwrap_or(0);
    let held_out = ((rarest as f64 * valid_ratio).floor() as usize).max(1);
    let mut seen = BTreeMap::<&str, usize>::new();
    for (file, label) in labeled {
        let held_out = held_out.min(counts[label] - 1);
        let seen = seen.entry(label).or_default();
        let part = if *seen < held_out { "valid" } else { "train" };
        *seen += 1;
        copy_file(file, &target.join("train_valid").join(label))?;
        copy_file(file, &target.join(part).join(label))?;
    }
    Ok(held_out)
}

/// Copies test pictures to `target/test/unknown/`.
///
/// # Errors
/// Where copying fails; the error names the file.
#[doc(alias = "reorg_test")]
pub fn reorganize_test(files: &[PathBuf], target: &Path) -> Result<(), DataError> {
    files.iter().try_for_each(|file| copy_file(file, &target.join("test").join(UNKNOWN)))
}

/// The classes that have a folder of pictures in `folder`, in the order of `classes`, and the place of each among
/// `classes`: with few pictures, not every part has all.
pub fn present<'a>(folder: &Path, classes: &[&'a str]) -> (Vec<&'a str>, Vec<u32>) {
    let places = classes.iter().zip(0..).filter(|(class, _)| folder.join(class).is_dir());
    places.map(|(class, place)| (*class, place)).unzip()
}

/// A file to hand in: a header, whose first column is the id, and for each id its row of the other columns.
///
/// # Errors
/// Where [`check_submission`] finds a fault.
pub fn submission(header: &[&str], ids: &[String], rows: &[Vec<String>]) -> anyhow::Result<String> {
    ensure!(ids.len() == rows.len(), "{} ids but {} rows", ids.len(), rows.len());
    let mut text = header.join(",") + "\n";
    for (id, row) in ids.iter().zip(rows) {
        text.extend([id, ",", &row.join(","), "\n"]);
    }
    check_submission(&text, header, ids)?;
    Ok(text)
}

/// Holds that a file to hand in has this header and one row for each id, with as many cells as the header, none empty.
///
/// # Errors
/// Where it has not; the error names the line or the id.
pub fn check_submission(text: &str, header: &[&str], ids: &[String]) -> anyhow::Result<()> {
    let mut table = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let found = table.headers()?;
    ensure!(found.iter().eq(header.iter().copied()), "the header is {:?}", found.iter().collect::<Vec<_>>());
    let mut missing: HashSet<&str> = ids.iter().map(String::as_str).collect();
    ensure!(missing.len() == ids.len(), "{} ids, of which {} are different", ids.len(), missing.len());
    for (place, record) in table.records().enumerate() {
        let (record, line) = (record?, place + 2);
        ensure!(record.len() == header.len(), "line {line}: {} columns of {}", record.len(), header.len());
        ensure!(record.iter().all(|cell| !cell.is_empty()), "line {line}: an empty cell");
        let id = &record[0];
        ensure!(missing.remove(id), "line {line}: the id {id} is not expected, or there for the second time");
    }
    if let Some(id) = ids.iter().find(|id| missing.contains(id.as_str())) {
        bail!("no row for the id {id}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    /// A folder with the files 1.png to 9.png.
    fn pictures() -> Result<(tempfile::TempDir, Vec<PathBuf>), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        for number in 1..10 {
            fs::write(folder.path().join(format!("{number}.png")), number.to_string())?;
        }
        fs::write(folder.path().join(".hidden"), "")?;
        let files = files(folder.path())?;
        Ok((folder, files))
    }

    /// Of nine pictures the first six are frogs, the others trucks.
    fn labels() -> BTreeMap<String, String> {
        (1..10).map(|id| (id.to_string(), if id < 7 { "frog" } else { "truck" }.to_string())).collect()
    }

    #[test]
    fn labels_are_read_and_faults_named() -> Outcome {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("labels.csv");
        fs::write(&file, "id,label\n10,frog\n2, truck\n")?;
        let read = read_csv_labels(&file)?;
        assert_eq!(
            read.into_iter().collect::<Vec<_>>(),
            [("10", "frog"), ("2", "truck")].map(|(id, label)| (id.to_string(), label.to_string()))
        );
        let cases = [
            ("id,label\n1,frog\n1,cat\n", "line 3", "second time"),
            ("id,label\n1,\n", "line 2", "no label for 1"),
            ("id,label\n,cat\n", "line 2", "no id"),
            ("id,label\n1,frog\n2\n", "line 3", "1 columns"),
            ("id,label\n1,frog,green\n", "line 2", "3 columns"),
            ("id\n1\n", "line 1", "1 columns"),
            ("", "line 1", "columns"),
        ];
        for (text, line, what) in cases {
            fs::write(&file, text)?;
            let error = read_csv_labels(&file).expect_err(what).to_string();
            assert!(error.contains("labels.csv") && error.contains(line) && error.contains(what), "{error}");
        }
        let error = read_csv_labels(&folder.path().join("none.csv")).expect_err("no file").to_string();
        assert!(error.contains("none.csv"), "{error}");
        Ok(())
    }

    #[test]
    fn labels_of_no_class_are_named() {
        let path = Path::new("folder/labels.csv");
        assert!(check_labels(path, &labels(), &["truck", "frog"]).is_ok());
        let error = check_labels(path, &labels(), &["frog"]).expect_err("no trucks").to_string();
        assert!(["labels.csv", "7", "truck"].iter().all(|word| error.contains(word)), "{error}");
    }

    #[test]
    fn pictures_are_divided_class_by_class() -> Outcome {
        let (_folder, files) = pictures()?;
        assert_eq!(files.iter().map(|file| id_of(file)).collect::<String>(), "123456789");
        for (ratio, held_out) in [(0.0, 1), (0.1, 1), (0.7, 2)] {
            let target = tempfile::tempdir()?;
            assert_eq!(reorganize_train_valid(&files, &labels(), ratio, target.path())?, held_out);
            let names = |part: &str, label: &str| -> Result<String, DataError> {
                Ok(super::files(&target.path().join(part).join(label))?.iter().map(|file| id_of(file)).collect())
            };
            assert_eq!(names("train_valid", "frog")?, "123456");
            assert_eq!(names("valid", "frog")?, &"123456"[..held_out]);
            assert_eq!(names("train", "frog")?, &"123456"[held_out..]);
            assert_eq!(names("valid", "truck")?, &"789"[..held_out]);
            assert_eq!(names("train", "truck")?, &"789"[held_out..]);
            let (classes, places) = present(&target.path().join("train"), &["cat", "frog", "ship", "truck"]);
            assert_eq!((classes, places), (vec!["frog", "truck"], vec![1, 3]));
            reorganize_test(&files[..2], target.path())?;
            assert_eq!(names("test", UNKNOWN)?, "12");
        }
        Ok(())
    }

    #[test]
    fn pictures_without_a_label_and_strange_labels_are_named() -> Outcome {
        let (folder, files) = pictures()?;
        let target = tempfile::tempdir()?;
        let mut labels = labels();
        labels.insert("4".to_string(), "../frog".to_string());
        let error = reorganize_train_valid(&files, &labels, 0.1, target.path()).expect_err("a way out").to_string();
        assert!(error.contains("4.png") && error.contains("../frog"), "{error}");
        labels.remove("4");
        let error = reorganize_train_valid(&files, &labels, 0.1, target.path()).expect_err("no label").to_string();
        assert!(error.contains("4.png"), "{error}");
        let missing = folder.path().join("none.png");
        assert!(copy_file(&missing, target.path()).expect_err("no file").to_string().contains("none.png"));
        let error = super::files(target.path()).expect_err("no files").to_string();
        assert!(error.contains("no files"), "{error}");
        assert!(super::files(&missing).is_err());
        Ok(())
    }

    #[test]
    fn what_is_handed_in_is_checked() -> Outcome {
        let (header, ids) = (["id", "label"], strings(&["1", "10"]));
        let text = submission(&header, &ids, &[strings(&["frog"]), strings(&["cat"])])?;
        assert_eq!(text, "id,label\n1,frog\n10,cat\n");
        let cases = [
            ("id,breed\n1,frog\n10,cat\n", "header"),
            ("id,label\n1,frog\n", "no row for the id 10"),
            ("id,label\n1,frog\n1,frog\n10,cat\n", "line 3"),
            ("id,label\n1,frog\n10,cat\n2,cat\n", "line 4"),
            ("id,label\n1,frog\n10\n", "1 columns of 2"),
            ("id,label\n1,frog\n10,\n", "empty"),
        ];
        for (text, what) in cases {
            let error = check_submission(text, &header, &ids).expect_err(what).to_string();
            assert!(error.contains(what), "{error}");
        }
        assert!(submission(&header, &ids, &[strings(&["frog"])]).is_err());
        assert!(submission(&header, &ids, &[strings(&["frog"]), strings(&["a,b"])]).is_err());
        assert!(check_submission("id,label\n1,frog\n", &header, &strings(&["1", "1"])).is_err());
        Ok(())
    }
}
