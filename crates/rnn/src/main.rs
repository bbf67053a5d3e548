//! Runs the sections of chapters 8 and 9.

d2l_program::chapter_main!(rnn::CHAPTER);
