//! Runs the sections of chapter 2.

d2l_program::chapter_main!(preliminaries::CHAPTER);
