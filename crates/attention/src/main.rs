//! Runs the sections of chapter 10.

d2l::chapter_main!(attention::CHAPTER);
