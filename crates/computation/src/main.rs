//! Runs the sections of chapter 5.

d2l_program::chapter_main!(computation::CHAPTER);
