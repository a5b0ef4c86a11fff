//! Who owns which page of the cache.

/// Hands out pages, counts their owners, and keeps promises of pages for running sequences so that they never run dry.
#[derive(Debug)]
pub(crate) struct PageAllocator {
    free: Vec<u32>,
    owners: Vec<u32>,
    promised: usize,
}

impl PageAllocator {
    pub(crate) fn new(n_pages: usize) -> Self {
        Self { free: (0..n_pages as u32).rev().collect(), owners: vec![0; n_pages], promised: 0 }
    }

    /// Pages that are neither owned nor promised.
    pub(crate) fn n_available(&self) -> usize {
        self.free.len() - self.promised
    }

    /// Promises `n` pages if that many are available.
    pub(crate) fn promise(&mut self, n: usize) -> bool {
        let possible = n <= self.n_available();
        if possible {
            self.promised += n;
        }
        possible
    }

    /// Gives back a promise that is not needed any more.
    pub(crate) fn release_promise(&mut self, n: usize) {
        self.promised -= n;
    }

    /// Takes one promised page, with one owner.
    pub(crate) fn take(&mut self) -> u32 {
        self.promised -= 1;
        let page = self.free.pop().expect("promises never exceed the free pages");
        self.owners[page as usize] = 1;
        page
    }

    /// Adds an owner.
    pub(crate) fn share(&mut self, page: u32) {
        self.owners[page as usize] += 1;
    }

    /// Removes an owner; the last one frees the page.
    pub(crate) fn release(&mut self, page: u32) {
        let owners = &mut self.owners[page as usize];
        *owners -= 1;
        if *owners == 0 {
            self.free.push(page);
        }
    }

    /// Pages with at least one owner.
    #[cfg(test)]
    pub(crate) fn n_owned(&self) -> usize {
        self.owners.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_back_when_the_last_owner_leaves() {
        let mut pages = PageAllocator::new(3);
        assert!(pages.promise(2));
        assert!(!pages.promise(2), "only one page is left to promise");
        let (a, b) = (pages.take(), pages.take());
        pages.share(a);
        pages.release(a);
        assert_eq!((pages.n_owned(), pages.n_available()), (2, 1));
        pages.release(a);
        pages.release(b);
        assert_eq!((pages.n_owned(), pages.n_available()), (0, 3));
    }
}
