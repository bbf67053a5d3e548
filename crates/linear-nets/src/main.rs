//! Runs the sections of chapter 3.

d2l_program::chapter_main!(linear_nets::CHAPTER);
