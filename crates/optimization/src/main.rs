//! Runs the sections of chapter 11.

d2l_program::chapter_main!(optimization::CHAPTER);
