//! Runs the sections of chapter 5.

d2l::chapter_main!(computation::CHAPTER);
