//! Look at all locks.

use gorilla_domain::{List, Page, Scope, Verb};

use super::{base::Service, caller::Caller, refusal::Refusal};

impl Service {
    /// A page of the held locks that are asked for, as far as the caller may see them, and where the next page begins.
    pub async fn list(&self, caller: &Caller, asked: List) -> Result<Page, Refusal> {
        let scope = self
            .noted(caller, caller.scope(Verb::List).map_err(Refusal::from))?
            .map(|scope| scope.within(&asked.prefix));
        if scope.as_ref().is_some_and(Scope::is_empty) {
            return Ok(Page { locks: Vec::new(), scope, next: None });
        }
        let page = self.store.list(&List { scope, ..asked }).await?;
        Ok(Page { locks: caller.all_shown(page.locks), ..page })
    }
}
