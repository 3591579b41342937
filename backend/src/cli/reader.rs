//! Standard output whose reader has gone.

use std::io::ErrorKind;
use std::panic::{self, PanicHookInfo};
use std::process;

/// Ends the process quietly when whoever reads standard output wants no more of it, as `| head` does: printing
/// would panic. Whatever was printed about is done by then.
pub(super) fn end_without_a_reader() {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if is_about_a_closed_pipe(info) {
            process::exit(0);
        }
        told(info);
    }));
}

fn is_about_a_closed_pipe(info: &PanicHookInfo<'_>) -> bool {
    // What `print!` says, with the error of the system behind it.
    let message = info.payload().downcast_ref::<String>();
    let error = message.and_then(|message| message.strip_prefix("failed printing to stdout: "));
    let closed = std::io::Error::from(ErrorKind::BrokenPipe);
    error.is_some_and(|error| error.to_lowercase().starts_with(&closed.to_string()))
}
