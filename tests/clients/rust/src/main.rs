//! The Step Functions API by the SDK of AWS for Rust. `.ci/clients` starts the server and says where
//! it is and with which key requests are signed.

#![expect(clippy::disallowed_methods, reason = "a client has no clock but that of the machine")]

mod kit;
mod tests;

use std::process::ExitCode;

use kit::Suite;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut suite = Suite::default();
    suite.run("a machine is created, described and deleted", tests::machine()).await;
    suite.run("an execution is started once by its name", tests::start()).await;
    suite.run("a worker gets a task, gives signs of life and succeeds", tests::worker()).await;
    suite.run("a task that fails is tried again", tests::retry()).await;
    suite.run("a task whose worker falls silent fails", tests::silent()).await;
    suite.run("a history is read page by page", tests::history()).await;
    suite.run("an execution is stopped with an error and a cause", tests::stop()).await;
    suite.run("a failed execution is redriven", tests::redrive()).await;
    suite.run("a request that is signed with another secret is refused", tests::stranger()).await;
    suite.end()
}
