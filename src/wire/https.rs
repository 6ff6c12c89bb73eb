//! Https: the HTTP client of REST calls, with the same trust as the feeds.
//!
//! The ureq library asks, follows and waits; what it lacks in this build is TLS, which comes from here as one more link
//! of its chain of connectors: whoever a feed believes, a REST call believes, and no other list of roots exists.
//! Blocking, and asks for memory: for the control thread.

use super::tls::Trust;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::sync::Arc;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, Either, LazyBuffers, NextTimeout,
    Transport, TransportAdapter,
};
use ureq::{Agent, Error, config::Config};

/// A client that also speaks `https://`, believing whom `trust` believes.
#[must_use]
pub fn agent(config: Config, trust: &Trust) -> Agent {
    let connector = DefaultConnector::new().chain(Secure(trust.clone()));
    Agent::with_parts(config, connector, DefaultResolver::default())
}

/// Puts TLS over a connection where the address asks for it.
#[derive(Debug)]
struct Secure(Trust);

impl<In: Transport> Connector<In> for Secure {
    type Out = Either<In, Sealed>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(plain) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || plain.is_tls() {
            return Ok(Some(Either::A(plain)));
        }
        let host = details.uri.host().ok_or(Error::HostNotFound)?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(host).map_err(|_| Error::HostNotFound)?;
        let mut session =
            ClientConnection::new(Arc::clone(self.0.config()), name).map_err(other)?;
        let mut link = TransportAdapter::new(plain.boxed(), details.current_time.clone());
        link.set_timeout(details.timeout);
        session.complete_io(&mut link)?;
        let (input, output) = (
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(Sealed {
            buffers: LazyBuffers::new(input, output),
            stream: StreamOwned::new(session, link),
        })))
    }
}

fn other(fault: rustls::Error) -> Error {
    Error::Other(Box::new(fault))
}

/// An HTTP connection under TLS.
struct Sealed {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").finish_non_exhaustive()
    }
}

impl Transport for Sealed {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output)?;
        self.stream.flush()?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let read = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
