//! Runs the sections of chapters 6 and 7.

d2l::chapter_main!(cnn::CHAPTER);
