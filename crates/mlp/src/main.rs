//! Runs the sections of chapter 4.

d2l_program::chapter_main!(mlp::CHAPTER);
