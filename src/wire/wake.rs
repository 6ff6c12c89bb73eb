//! Wake: a parked feed sleeps until its socket has something to read.
//!
//! A loop that spins or yields looks at its sockets all the time and needs none of this. One that
//! parks would answer up to a nap late, or wake for nothing; the system's own readiness list (mio's
//! `Poll`) wakes it the moment bytes come, and a short timeout lets it look at its channels in
//! between. The list reports changes, so a socket is read until it has nothing before one waits.

use super::socket::Stream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// The sockets a parked loop waits on; without one it cannot wait.
#[derive(Debug)]
pub struct Wake {
    poll: Poll,
    events: Events,
}

impl Wake {
    /// `None` when the system gives no readiness list: the loop then naps as any other.
    #[must_use]
    pub fn new() -> Option<Self> {
        Some(Self {
            poll: Poll::new().ok()?,
            events: Events::with_capacity(4),
        })
    }

    /// Watches a stream from here on; a socket that is closed leaves the list by itself. False when
    /// the system refuses, and the stream then wakes nobody.
    pub fn watch(&self, stream: &Stream, leg: usize) -> bool {
        let fd = stream.as_raw_fd();
        let registry = self.poll.registry();
        registry
            .register(&mut SourceFd(&fd), Token(leg), Interest::READABLE)
            .is_ok()
    }

    /// Sleeps until a watched stream has something to read, at most for `most`.
    pub fn wait(&mut self, most: Duration) {
        // A signal that interrupts it wakes the loop a little early, which is all that happens.
        let _ = self.poll.poll(&mut self.events, Some(most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    #[test]
    fn a_sleeper_wakes_when_bytes_come_and_not_before_its_time_else() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        let stream = Stream::Plain(near);
        let mut wake = Wake::new().unwrap();
        assert!(wake.watch(&stream, 0));
        let began = Instant::now();
        wake.wait(Duration::from_millis(30));
        assert!(began.elapsed() >= Duration::from_millis(25));
        let writer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            far.write_all(b"x").unwrap();
            far
        });
        let began = Instant::now();
        wake.wait(Duration::from_secs(20));
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(writer.join().unwrap());
    }
}
