//! What comes back from the kernel, and whom it is for.

/// Names who waits for a completion: an address of eight-byte alignment, and in its low bits what
/// kind of thing lies there. Drivers hand it back as it is and never look behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token(u64);

impl Token {
    /// The end of an operation; the address is that of the hub's record of it.
    pub(crate) const OPERATION: u64 = 0;
    /// The answer to a cancellation; the address is that of the cancelled operation's record.
    pub(crate) const CANCEL: u64 = 1;
    /// One of the many completions of a multishot operation.
    pub(crate) const STREAM: u64 = 2;
    /// Another thread ends our wait. Drivers alone see it.
    pub(super) const WAKE: u64 = 6;
    /// Nobody waits for it. Drivers use it for what they do on their own account.
    pub(super) const NOBODY: u64 = 7;
    const TAGS: u64 = 7;

    /// Names what lies at `address`.
    #[inline]
    pub(crate) fn new<T>(address: *const T, tag: u64) -> Token {
        const { assert!(align_of::<T>() >= 8, "the low bits of the address hold the tag") };
        debug_assert!(tag <= Token::TAGS);
        Token(address.expose_provenance() as u64 | tag)
    }

    /// Names nobody.
    pub(crate) const fn nobody() -> Token {
        Token(Token::NOBODY)
    }

    /// The same address under another tag.
    #[inline]
    pub(crate) fn tagged(self, tag: u64) -> Token {
        Token(self.0 & !Token::TAGS | tag)
    }

    #[inline]
    pub(crate) fn tag(self) -> u64 {
        self.0 & Token::TAGS
    }

    /// The address that `new` was given.
    #[inline]
    pub(crate) fn address<T>(self) -> *const T {
        std::ptr::with_exposed_provenance((self.0 & !Token::TAGS) as usize)
    }

    /// For the kernel's `user_data`.
    #[inline]
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    /// From the kernel's `user_data`.
    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Token {
        Token(bits)
    }
}

/// One answer of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Completion {
    /// Whom it is for.
    pub(crate) token: Token,
    /// What the system call would have returned: `-errno` for an error.
    pub(crate) result: i32,
    /// [`MORE`] and the buffer that was chosen.
    pub(crate) flags: u32,
}

/// A further completion will follow for the same token.
pub(crate) const MORE: u32 = 1;
/// A buffer of the pool was used; its number stands in the upper half of the flags.
pub(crate) const BUFFER: u32 = 2;

impl Completion {
    /// The buffer of the pool that holds the received bytes.
    #[inline]
    pub(crate) fn buffer(self) -> Option<u16> {
        (self.flags & BUFFER != 0).then_some((self.flags >> 16) as u16)
    }
}
