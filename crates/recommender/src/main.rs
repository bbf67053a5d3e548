//! Runs the sections of chapter 16.

d2l_program::chapter_main!(recommender::CHAPTER);
