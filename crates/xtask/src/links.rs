//! Relative links and images of the Markdown files: the file must be there, and the heading too.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::chapters::{Workspace, read};
use crate::pages::Fence;
use crate::report::Problem;

/// Links that lead nowhere, in the README, the pages and the data folder's README.
pub fn broken_links(workspace: &Workspace) -> Result<Vec<Problem>> {
    let mut files = ["README.md", "CONTRIBUTING.md", "data/README.md"].map(|file| workspace.root.join(file)).to_vec();
    markdown_files(&workspace.root.join("crates"), &mut files)?;
    markdown_files(&workspace.root.join("examples"), &mut files)?;
    markdown_files(&workspace.pages_dir(), &mut files)?;
    files.retain(|file| file.is_file());

    let mut problems = Vec::new();
    for file in &files {
        for (line, target) in links(&read(file)?) {
            if let Some(message) = broken(workspace, file, &target)? {
                problems.push(Problem::line(workspace.relative(file), line, message));
            }
        }
    }
    Ok(problems)
}

fn markdown_files(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    let mut paths = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            markdown_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    Ok(())
}

fn broken(workspace: &Workspace, file: &Path, target: &str) -> Result<Option<String>> {
    let has_scheme =
        target.split_once(':').is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric()));
    if has_scheme || target.starts_with("//") {
        return Ok(None);
    }
    let (name, anchor) = target.split_once('#').map_or((target, None), |(name, anchor)| (name, Some(anchor)));
    let path = match name.strip_prefix('/') {
        Some(from_root) => workspace.root.join(from_root),
        None if name.is_empty() => file.to_owned(),
        None => file.parent().unwrap_or(file).join(name),
    };
    if !path.exists() {
        return Ok(Some(format!("({target}) leads to no file: correct or remove the link")));
    }
    let Some(anchor) = anchor else { return Ok(None) };
    if path.extension().is_some_and(|extension| extension == "md")
        && !anchors(&read(&path)?).iter().any(|a| a == anchor)
    {
        return Ok(Some(format!("({target}) leads to no heading: correct or remove the link")));
    }
    Ok(None)
}

/// Sections that a page mentions by number without a link to their page, where there is one; and sentences that were left to be
/// written.
pub fn mentions(workspace: &Workspace) -> Result<Vec<Problem>> {
    let mut files = Vec::new();
    markdown_files(&workspace.pages_dir(), &mut files)?;
    let mut pages = BTreeMap::new();
    for file in &files {
        let text = read(file)?;
        let number = text.strip_prefix("# ").and_then(|heading| heading.split(' ').next()).filter(|n| is_number(n));
        pages.extend(number.map(|number| (number.to_owned(), file.clone())));
    }
    let mut problems = Vec::new();
    for file in &files {
        for (line, text) in prose(&read(file)?) {
            if text.contains("TODO") {
                let shown = workspace.relative(file);
                problems.push(Problem::line(shown, line, "a TODO is left: write the sentence, or take it out"));
            }
            for number in bare_mentions(&text) {
                if let Some(page) = pages.get(&number).filter(|page| *page != file) {
                    let (shown, page) = (workspace.relative(file), workspace.relative(page).display());
                    problems.push(Problem::line(
                        shown,
                        line,
                        format!("section {number} is no link: its page is {page}"),
                    ));
                }
            }
        }
    }
    Ok(problems)
}

/// The numbers that follow the word “section” in a line, outside of links, code and mathematics.
fn bare_mentions(line: &str) -> Vec<String> {
    let mut text = without_spans(&without_spans(line, '`'), '$');
    while let Some(start) = text.find('[')
        && let Some(end) = text[start..].find("](")
        && let Some(closing) = text[start + end..].find(')')
    {
        text.replace_range(start..=start + end + closing, "a link");
    }
    let words: Vec<&str> =
        text.split_whitespace().map(|word| word.trim_matches(['(', ')', ',', ';', ':', '.'])).collect();
    let mut found = Vec::new();
    let mut is_list = false;
    for word in words {
        is_list = match word.to_lowercase().as_str() {
            "section" | "sections" => true,
            "and" | "or" | "to" => is_list,
            number if is_list && is_number(number) => {
                found.push(number.to_owned());
                true
            }
            _ => false,
        };
    }
    found
}

/// Whether a word is a section's number, such as `9.7`.
fn is_number(word: &str) -> bool {
    let is_whole = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    word.split_once('.').is_some_and(|(chapter, section)| is_whole(chapter) && is_whole(section))
}

/// The lines outside of fenced code, with numbers from 1 and without inline code.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fence = Fence::default();
    let lines = text.lines().enumerate().filter(|(_, line)| !fence.covers(line));
    lines.map(|(index, line)| (index + 1, line.to_owned())).collect()
}

/// Replaces what stands between a pair of signs, as code or mathematics on one line, by nothing.
fn without_spans(line: &str, sign: char) -> String {
    let parts: Vec<&str> = line.split(sign).collect();
    let last = parts.len() - 1;
    // An unpaired last sign opens nothing.
    let keep = |(index, _): &(usize, &&str)| index % 2 == 0 || (*index == last && last % 2 == 1);
    parts.iter().enumerate().filter(keep).map(|(_, part)| *part).collect()
}

/// Each link's target with its line: `[text](target)`, `[name]: target`, `src="target"` and `href="target"`.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let line = without_spans(&without_spans(&line, '`'), '$');
        for (opening, closing) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
            for (at, _) in line.match_indices(opening) {
                let rest = &line[at + opening.len()..];
                if let Some(end) = rest.find(closing) {
                    found.push((number, rest[..end].to_owned()));
                }
            }
        }
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            found.push((number, target.to_owned()));
        }
    }
    for (_, target) in &mut found {
        // A title may follow the target, and angle brackets stand around it.
        *target = target.split_whitespace().next().unwrap_or_default().trim_matches(['<', '>']).to_owned();
    }
    found
}

/// The anchors of a Markdown file as GitHub makes them from headings, and those written as `id="…"`.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut anchors = Vec::new();
    for (_, line) in prose(text) {
        for (at, _) in line.match_indices("id=\"") {
            let rest = &line[at + 4..];
            anchors.extend(rest.split_once('"').map(|(id, _)| id.to_owned()));
        }
        let level = line.chars().take_while(|sign| *sign == '#').count();
        if !(1..=6).contains(&level) || !line[level..].starts_with(' ') {
            continue;
        }
        let slug = slug(&line[level..]);
        let count = seen.entry(slug.clone()).or_default();
        anchors.push(if *count == 0 { slug } else { format!("{slug}-{count}") });
        *count += 1;
    }
    anchors
}

fn slug(heading: &str) -> String {
    // Of a link in a heading only its text counts.
    let mut text = heading.trim().trim_end_matches('#').trim_end().to_owned();
    while let Some((start, end)) = text.find("](").and_then(|start| Some((start, start + text[start..].find(')')?))) {
        text.replace_range(start..=end, "");
    }
    let kept = text.chars().filter(|sign| sign.is_alphanumeric() || [' ', '-', '_'].contains(sign));
    kept.map(|sign| if sign == ' ' { '-' } else { sign }).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn headings_become_anchors_as_on_github() {
        let text = "# Softmax: *from* `scratch`!\n## Data\n## Data\n```\n# no heading\n```\n### [Linked](a.md) one ##\n<a id=\"own\"></a>\n#no";
        assert_eq!(anchors(text), ["softmax-from-scratch", "data", "data-1", "linked-one", "own"]);
    }

    #[test]
    fn links_outside_of_code_and_mathematics() {
        let text = "[a](x.md#h \"Title\") ![b](<f.svg>) `[c](no)` $f[i](no)$\n```\n[d](no)\n```\n[e]: y.md\n<img src=\"z.png\">";
        let targets: Vec<(usize, String)> = links(text);
        let wanted = [(1, "x.md#h"), (1, "f.svg"), (5, "y.md"), (6, "z.png")];
        assert_eq!(targets, wanted.map(|(line, target)| (line, target.to_owned())));
        assert_eq!(links("costs $5: [a](b)").len(), 1);
    }

    #[test]
    fn sections_are_mentioned_by_links() {
        let fixture = Fixture::new();
        fixture.write(
            "notebooks-md/demo/first.md",
            "# 3.1 First\nAs section 3.2 has it.\nSection 3.1 is here, 3.2 a number.\n",
        );
        fixture.write(
            "notebooks-md/demo/second-thing.md",
            "# 3.2 Second\n[section 3.1](first.md), sections 9.9 and 3.1.\n\nTODO: the loss\n",
        );
        let problems: Vec<String> = mentions(&fixture.workspace).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[2].starts_with("notebooks-md/demo/second-thing.md:4: a TODO is left"), "{problems:?}");
        assert!(problems[0].starts_with("notebooks-md/demo/first.md:2: section 3.2 is no link"), "{problems:?}");
        assert!(problems[1].starts_with("notebooks-md/demo/second-thing.md:2: section 3.1 is no link"), "{problems:?}");
        assert_eq!(
            bare_mentions("`section 3.2` and (Section 3.2), sections 4.1, 4.2 or 4.3"),
            ["3.2", "4.1", "4.2", "4.3"]
        );
    }

    #[test]
    fn finds_missing_files_and_headings() {
        let fixture = Fixture::new();
        fixture.write("README.md", "# Top\n[a](#top) [b](notebooks-md/demo/first.md#first) [c](https://x.org/y#z)\n");
        fixture.write("data/README.md", "[up](../README.md#top) [root](/README.md)\n");
        assert_eq!(broken_links(&fixture.workspace).unwrap(), []);
        fixture.write("notebooks-md/demo/more.md", "ok\n![f](first/none.svg)\n[h](first.md#nowhere)\n");
        let problems: Vec<String> = broken_links(&fixture.workspace).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("notebooks-md/demo/more.md:2: (first/none.svg) leads to no file"));
        assert!(problems[1].starts_with("notebooks-md/demo/more.md:3: (first.md#nowhere) leads to no heading"));
    }
}
