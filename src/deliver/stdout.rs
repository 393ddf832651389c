//! One JSON line each on standard output.

use std::{fmt, io, io::Write, sync::Arc, time::Duration};

use tokio::sync::Mutex;

use super::{
    Capacity, DeliverError,
    error::{down, failed},
    structured::structured,
};
use crate::event::Delivery;

/// One window after the other, so that lines come out in order.
pub(super) const CAPACITY: Capacity = Capacity {
    window: 200,
    lanes: 1,
};

/// Longest wait for whoever reads our output.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A writer behind a lock.
#[derive(Clone)]
pub(super) struct Stdout {
    writer: Arc<Mutex<Lines>>,
}

struct Lines {
    writer: Box<dyn Write + Send>,
    /// The last write failed, perhaps in the middle of a line.
    torn: bool,
}

impl fmt::Debug for Stdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdout").finish_non_exhaustive()
    }
}

impl Stdout {
    pub(super) fn new(writer: Box<dyn Write + Send>) -> Self {
        Self {
            writer: Arc::new(Mutex::new(Lines {
                writer,
                torn: false,
            })),
        }
    }

    pub(super) async fn deliver(&self, window: &[Delivery]) -> Vec<Result<(), DeliverError>> {
        let mut text = String::new();
        let mut results = Vec::with_capacity(window.len());
        for delivery in window {
            results.push(structured(&delivery.planned.message).map(|line| {
                text.push_str(&line);
                text.push('\n');
            }));
        }
        if let Err(error) = self.write(text).await {
            for result in &mut results {
                if result.is_ok() {
                    *result = Err(error.clone());
                }
            }
        }
        results
    }

    async fn write(&self, text: String) -> Result<(), DeliverError> {
        // A reader that stalls holds one blocking thread, not one for each attempt: the next waits here.
        let lines = Arc::clone(&self.writer).lock_owned();
        let write = async {
            let mut lines = lines.await;
            tokio::task::spawn_blocking(move || lines.write(&text)).await
        };
        match tokio::time::timeout(TIMEOUT, write).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(down(format!("cannot write: {error}"))),
            Ok(Err(_)) => Err(failed("the write was cut off")),
            Err(_) => Err(down(format!(
                "nobody reads the output, waited {} s",
                TIMEOUT.as_secs()
            ))),
        }
    }
}

impl Lines {
    fn write(&mut self, text: &str) -> io::Result<()> {
        if std::mem::replace(&mut self.torn, true) {
            self.writer.write_all(b"\n")?;
        }
        self.writer.write_all(text.as_bytes())?;
        self.writer.flush()?;
        self.torn = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use super::*;
    use crate::deliver::sample;

    /// Takes `room` bytes, then fails until there is more.
    #[derive(Clone, Default)]
    struct Page {
        text: Arc<StdMutex<Vec<u8>>>,
        room: Arc<StdMutex<usize>>,
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut room = self.room.lock().unwrap();
            let taken = bytes.len().min(*room);
            if taken == 0 {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            *room -= taken;
            self.text.lock().unwrap().extend(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn each_delivery_is_one_line() {
        let page = Page::default();
        *page.room.lock().unwrap() = 1 << 20;
        let stdout = Stdout::new(Box::new(page.clone()));
        let results = stdout
            .deliver(&[sample::delivery("1"), sample::delivery("2")])
            .await;
        assert_eq!(results, [Ok(()), Ok(())]);
        let text = String::from_utf8(page.text.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.ends_with('\n'));
    }

    #[tokio::test]
    async fn a_failed_write_is_the_destinations_fault_and_the_repeat_starts_on_a_line_of_its_own() {
        let page = Page::default();
        *page.room.lock().unwrap() = 10;
        let stdout = Stdout::new(Box::new(page.clone()));
        let window = [sample::delivery("1")];
        let results = stdout.deliver(&window).await;
        assert!(matches!(
            results[0],
            Err(DeliverError::Destination { down: true, .. })
        ));
        *page.room.lock().unwrap() = 1 << 20;
        assert_eq!(stdout.deliver(&window).await, [Ok(())]);
        let text = String::from_utf8(page.text.lock().unwrap().clone()).unwrap();
        let last = text.lines().last().unwrap();
        serde_json::from_str::<serde_json::Value>(last).unwrap();
    }
}
