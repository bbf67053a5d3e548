//! Runs the sections of chapter 13.

d2l_program::chapter_main!(vision::CHAPTER);
