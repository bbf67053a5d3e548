//! Runs the sections of chapter 17.

d2l_program::chapter_main!(gan::CHAPTER);
