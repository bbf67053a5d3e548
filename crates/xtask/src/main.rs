//! The workspace's one entrance for everything that is not a section.

fn main() {}
