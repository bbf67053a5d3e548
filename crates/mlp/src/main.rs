//! Runs the sections of chapter 4.

d2l::chapter_main!(mlp::CHAPTER);
