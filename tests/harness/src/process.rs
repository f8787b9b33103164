//! Child processes that never outlive the test binary.

use std::{
    io,
    process::{Child, ChildStdin, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// A child process, killed when this is dropped, and also when the test binary ends without dropping it.
pub struct Process {
    /// The child itself.
    pub child: Child,
    /// A shell reads from this pipe, and kills the child when the pipe closes.
    _leash: ChildStdin,
}

impl Process {
    /// Starts the child.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        let mut shell = Command::new("sh")
            .args(["-c", "read -r _; kill -9 \"$1\" 2>/dev/null", "sh", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let leash = shell.stdin.take().expect("the shell has a pipe for its input");
        // Nothing waits for the shell: it ends with this process or with the leash.
        Ok(Self { child, _leash: leash })
    }

    /// Sends a signal to the child.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a child has a pid");
        kill_process(pid, signal).expect("a child can be signalled until it is waited for");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
