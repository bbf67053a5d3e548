//! Runs the sections of chapter 14.

d2l_program::chapter_main!(nlp_pretraining::CHAPTER);
