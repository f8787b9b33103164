//! The access file that a command looks at.

use std::{path::Path, process::ExitCode};

use super::{exit, messages::tell};
use crate::access::{Access, read};

/// What stands in an access file. Tells what is doubtful in it. If it is wrong, tells each problem.
pub fn load(path: &Path) -> Result<Access, ExitCode> {
    match read(path).and_then(|text| Access::parse(&text)) {
        Ok((access, warnings)) => {
            for warning in warnings {
                tell(format_args!("warning: {}: {warning}", path.display()));
            }
            Ok(access)
        }
        Err(problems) => {
            tell(format_args!("the access file {} is wrong:", path.display()));
            eprint!("{problems}");
            Err(ExitCode::from(exit::CONFIG))
        }
    }
}
