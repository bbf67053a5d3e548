//! The site's first page: what this is, and the sections with what they take.

use std::fmt::Write as _;

use anyhow::Result;

use super::gallery::Recorded;
use super::page::{QUICK, duration};

/// The prose of `front.md`, then the sections as `SUMMARY.md` orders them, a table a chapter.
pub fn page(prose: &str, summary: &str, sections: &[Recorded<'_>]) -> Result<String> {
    let mut text = format!("{}\n", prose.trim_end());
    for line in summary.lines() {
        if let Some(title) = line.strip_prefix("# ").filter(|title| *title != "Summary") {
            write!(text, "\n## {title}\n\n")?;
        } else if let Some((title, target)) = line.strip_prefix("- [").and_then(|rest| rest.split_once("](")) {
            let target = target.trim_start_matches("./").trim_end_matches(')');
            let recorded = sections.iter().find(|section| target == format!("{}/{}.md", section.chapter, section.name));
            let takes = recorded.filter(|section| section.run.least_seconds() >= QUICK);
            let takes =
                takes.map_or_else(String::new, |section| format!(" · {}", duration(section.run.least_seconds())));
            writeln!(text, "- [{title}]({target}){takes}")?;
        }
    }
    text += "- [Figures](figures.md), all of them\n- [The book's names](names.md), and the Rust item for each\n";
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chapters_become_headings_and_sections_a_list() {
        let summary = "# Summary\n\n[About](README.md)\n\n# Nets\n\n- [3.1 First](demo/first.md)\n";
        let page = page("# Title\n", summary, &[]).unwrap();
        assert!(page.starts_with("# Title\n\n## Nets\n\n- [3.1 First](demo/first.md)\n- [Figures]"), "{page}");
        assert!(!page.contains("About"), "{page}");
    }
}
