//! Runs the sections of chapter 2.

d2l::chapter_main!(preliminaries::CHAPTER);
