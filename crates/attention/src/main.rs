//! Runs the sections of chapter 10.

d2l_program::chapter_main!(attention::CHAPTER);
