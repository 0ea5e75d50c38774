//! A queue of bytes in one piece of memory: the stream as either half of a channel holds it.
//!
//! Bytes enter at the back and leave at the front. The memory is reused; what is left in the queue is moved to its start
//! only when room is needed and no more bytes have to move than have left, so each byte moves once more at most on average.

use std::ops::Range;

use super::limits::BUFFER_KEPT_LEN_MAX;

/// A first-in, first-out queue of bytes.
#[derive(Debug, Default)]
pub struct ByteQueue {
    bytes: Vec<u8>,
    /// Where the queue begins in `bytes`; what lies before has left.
    head: usize,
}

impl ByteQueue {
    /// Bytes in the queue.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.head
    }

    /// Whether the queue holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All bytes in the queue.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    /// Some of the bytes, counted from the front.
    pub fn slice(&self, range: Range<usize>) -> &[u8] {
        &self.as_slice()[range]
    }

    /// Add bytes at the back.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < bytes.len() && self.head >= self.len() {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Remove `len` bytes from the front.
    pub fn discard(&mut self, len: usize) {
        assert!(len <= self.len(), "{len} bytes of {} leave a queue", self.len());
        self.head += len;
        if self.is_empty() {
            self.clear();
        }
    }

    /// Remove everything, and give back the memory of a burst.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.head = 0;
        if self.bytes.capacity() > BUFFER_KEPT_LEN_MAX {
            self.bytes.shrink_to(BUFFER_KEPT_LEN_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_in_which_they_entered() {
        let mut queue = ByteQueue::default();
        let (mut entered, mut left) = (0_u8, 0_u8);
        for step in 0..10_000_usize {
            for _ in 0..step % 7 {
                queue.push(&[entered, entered.wrapping_add(1)]);
                entered = entered.wrapping_add(2);
            }
            let len = (step % 11).min(queue.len());
            for &byte in queue.slice(0..len) {
                assert_eq!(byte, left);
                left = left.wrapping_add(1);
            }
            queue.discard(len);
        }
    }

    #[test]
    fn a_queue_that_is_used_and_emptied_again_and_again_does_not_grow() {
        let mut queue = ByteQueue::default();
        for _ in 0..1000 {
            queue.push(&[7; 100]);
            queue.push(&[8; 100]);
            queue.discard(150);
            queue.push(&[9; 50]);
            queue.discard(100);
        }
        assert!(queue.is_empty());
        assert!(queue.bytes.capacity() <= 512, "{}", queue.bytes.capacity());
    }

    #[test]
    fn an_emptied_queue_gives_back_the_memory_of_a_burst() {
        let mut queue = ByteQueue::default();
        queue.push(&vec![0; 4 * BUFFER_KEPT_LEN_MAX]);
        queue.discard(queue.len());
        assert!(queue.bytes.capacity() <= BUFFER_KEPT_LEN_MAX);
    }
}
