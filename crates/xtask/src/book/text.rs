//! Where the book's own text stands, of the release that the pages go along with.

use crate::chapters::Section;

/// The sources of release 0.16.6: later editions are numbered otherwise.
const RELEASE: &str = "https://github.com/d2l-ai/d2l-en/blob/v0.16.6";

/// The address of the text beside a section with this number.
pub fn text_of(section: &Section, number: &str) -> Option<String> {
    let folder = match number.split('.').next()? {
        "2" => "preliminaries",
        "3" => "linear-networks",
        "4" => "multilayer-perceptrons",
        "5" => "deep-learning-computation",
        "6" => "convolutional-neural-networks",
        "7" => "convolutional-modern",
        "8" => "recurrent-neural-networks",
        "9" => "recurrent-modern",
        "10" => "attention-mechanisms",
        "11" => "optimization",
        "12" => "computational-performance",
        "13" => "computer-vision",
        "14" => "natural-language-processing-pretraining",
        "15" => "natural-language-processing-applications",
        "16" => "recommender-systems",
        "17" => "generative-adversarial-networks",
        "18" => "appendix-mathematics-for-deep-learning",
        _ => return None,
    };
    Some(format!("{RELEASE}/chapter_{folder}/{}.md", section.name))
}
