//! Runs the sections of chapter 15.

d2l_program::chapter_main!(nlp_applications::CHAPTER);
