//! A handle on the servers of one provider.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::client::{Core, EndpointStatus};
use super::error::ExchangeError;
use super::exchange::{self, Exchange, Plan};
use super::hosts::Provider;
use super::report::{self, HostReport};
use crate::AccessRequest;

/// The servers of one provider. A clone is the same servers; it also keeps the client going.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Kept, so that what works for these servers goes on while they are held.
    _core: Arc<Core>,
    provider: Arc<Provider>,
}

impl Servers {
    pub(super) fn new(core: Arc<Core>, provider: Arc<Provider>) -> Self {
        Self {
            _core: core,
            provider,
        }
    }

    /// Asks the servers and waits for a signed reply. Dropping the future gives the request up: no
    /// server hears of that, but its identifier rests.
    ///
    /// # Errors
    ///
    /// An [`ExchangeError`]; none of them says anything about the user.
    pub fn exchange<'a>(
        &'a self,
        request: &'a AccessRequest,
        plan: Plan,
    ) -> impl Future<Output = Result<Exchange, ExchangeError>> + Send + 'a {
        exchange::exchange(&self.provider, request, plan)
    }

    /// Asks each address of each name, by Status-Server if they answer it, and else by a login of a
    /// user who need not exist, and tells what came of it within the timeout.
    pub async fn test(&self, request: &AccessRequest, timeout: Duration) -> Vec<HostReport> {
        report::test(&self.provider, request, timeout).await
    }

    /// How each of the servers is now, as far as their addresses are known.
    pub fn status(&self) -> Vec<EndpointStatus> {
        let endpoints = self.provider.endpoints();
        endpoints.iter().map(|endpoint| endpoint.status()).collect()
    }

    /// The addresses that the names stand for, as far as they are known.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let endpoints = self.provider.endpoints();
        endpoints.iter().map(|endpoint| endpoint.address).collect()
    }
}
