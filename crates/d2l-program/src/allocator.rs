//! The allocator of the programs: one that keeps large buffers, on large pages.
//!
//! A training step makes and drops the same large tensors as the step before. Fresh memory costs a page fault each 4 KiB
//! and a pass of zeros; memory that was given back has to be had again. So nothing is given back, and on Linux large
//! buffers ask for pages of 2 MiB, which also spares the matrix products most of their address look-ups.

use std::alloc::{GlobalAlloc, Layout};

use mimalloc::MiMalloc;

/// Buffers from this size on ask for large pages; smaller ones would waste most of one.
#[cfg(target_os = "linux")]
const LARGE: usize = 4 << 20;

/// The size of an ordinary page, or a multiple of it.
#[cfg(target_os = "linux")]
const PAGE: usize = 64 << 10;

/// mimalloc, which keeps freed memory, with large pages for large buffers.
pub struct Allocator;

impl Allocator {
    /// Sets mimalloc to keep what is freed; before that it gives it back to the system after a while.
    pub fn keep_freed_memory() {
        /// `mi_option_purge_delay`, in milliseconds; below 0: never.
        const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
        // SAFETY: sets a number that mimalloc reads when it frees memory; any number is valid.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    }
}

/// Asks for large pages in the whole pages of a buffer; where there are none, ordinary ones do.
#[inline]
fn advise(start: *mut u8, size: usize) {
    #[cfg(target_os = "linux")]
    if size >= LARGE && !start.is_null() {
        let offset = start.align_offset(PAGE);
        let len = (size - offset.min(size)) / PAGE * PAGE;
        // SAFETY: the pages lie within a buffer that was just allocated, and the advice changes no contents.
        unsafe { libc::madvise(start.wrapping_add(offset).cast(), len, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, size);
}

// SAFETY: each method passes its arguments on to mimalloc and returns what that gives.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        let start = unsafe { MiMalloc.alloc(layout) };
        advise(start, layout.size());
        start
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        let start = unsafe { MiMalloc.alloc_zeroed(layout) };
        advise(start, layout.size());
        start
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        let start = unsafe { MiMalloc.realloc(start, layout, size) };
        advise(start, size);
        start
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { MiMalloc.dealloc(start, layout) }
    }
}
