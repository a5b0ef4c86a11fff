//! `ruminate review`: people decide about the examples of a stage on a page of this machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::print;
use crate::review::{Desk, Server, serve};

/// Shows the examples that a stage has collected, one at a time, to accept, reject or edit them.
///
/// Serves a page on this machine and prints its address, which holds a secret token. Decisions are saved to review.json of the stage
/// as they are taken; the stage reads them when it runs again.
#[derive(Debug, Args)]
pub(crate) struct ReviewArgs {
    /// Folder of the stage, such as runs/tiny/cold.
    #[arg(value_name = "RUN/STAGE")]
    stage: PathBuf,
    /// Address to serve at; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    addr: SocketAddr,
    /// Your name in the record, usually that of $USER; the page can change it, so that several people can share one address.
    #[arg(long, value_name = "NAME")]
    reviewer: Option<String>,
    /// Only print the address, do not open it in a browser.
    #[arg(long)]
    no_open: bool,
}

impl ReviewArgs {
    /// Serves until Ctrl-C.
    pub(crate) fn run(&self) -> Result<()> {
        let desk = Desk::open(&self.stage)?;
        let (n_examples, n_decided) = desk.counts();
        let user = std::env::var("USER").ok().filter(|user| !user.trim().is_empty());
        let reviewer = self.reviewer.clone().or(user).unwrap_or_else(|| "reviewer".to_owned());
        serve(self.addr, desk, &reviewer, |server| {
            print(&format!("{n_examples} examples, {n_decided} decided before; Ctrl-C ends the review\n{}", server.url))?;
            self.tell(server);
            Ok(())
        })
    }

    fn tell(&self, server: &Server) {
        if server.is_public {
            eprintln!(
                "warning: other machines can reach this address, and whoever has the token can decide; the connection is not encrypted"
            );
        }
        // Without a terminal nobody sits here.
        if !self.no_open
            && console::user_attended()
            && let Err(error) = open::that_detached(&server.url)
        {
            eprintln!("warning: no browser could be opened ({error}); open the address yourself");
        }
    }
}
