//! Runs the sections of chapter 3.

d2l::chapter_main!(linear_nets::CHAPTER);
