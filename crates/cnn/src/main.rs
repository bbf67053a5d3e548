//! Runs the sections of chapters 6 and 7.

d2l_program::chapter_main!(cnn::CHAPTER);
