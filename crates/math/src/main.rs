//! Runs the sections of chapter 18.

d2l_program::chapter_main!(math::CHAPTER);
