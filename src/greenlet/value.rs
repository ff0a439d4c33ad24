//! What crosses with a switch: type descriptors, one-word packing, and values of any type.
#![expect(unsafe_code, reason = "moves values between stacks by address")]

use super::error::ChildExit;
use crate::arch::Word;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::any::{TypeId, type_name};
use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;

/// A type, as it is described to whoever handles a value of it by address.
///
/// Different types never share one, because the `TypeId` is part of it; but each code generation unit may have
/// its own. (The constant `TypeId` needs Rust 1.91.)
#[derive(Debug)]
pub(crate) struct ValueType {
    id: TypeId,
    itself: Describe,
    name: fn() -> &'static str,
    layout: Layout,
    drop: Option<unsafe fn(*mut u8)>,
}

/// Returns the descriptor of a type: sender and receiver compare its address, nobody calls it on the way.
///
/// A function has one address in a crate, unlike the constant that it returns: with that, a third of all
/// instructions of a switch went into comparing contents. Two crates may have two for one type, and then the
/// `TypeId` decides. Functions of different types are never merged into one, because they return different things.
pub(crate) type Describe = fn() -> &'static ValueType;

struct Of<T>(T);

impl<T: 'static> Of<T> {
    const TYPE: ValueType = ValueType::new::<T>(ValueType::describe::<T>);
}

/// # Safety
/// `value` addresses a live `T` that nobody uses again.
unsafe fn drop_value<T>(value: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { value.cast::<T>().drop_in_place() }
}

impl ValueType {
    /// A descriptor of `T`, which `itself` returns.
    pub(super) const fn new<T: 'static>(itself: Describe) -> ValueType {
        ValueType {
            id: TypeId::of::<T>(),
            itself,
            name: type_name::<T>,
            layout: Layout::new::<T>(),
            drop: if std::mem::needs_drop::<T>() { Some(drop_value::<T>) } else { None },
        }
    }

    /// The descriptor of `T`.
    #[inline(always)]
    pub(crate) fn of<T: 'static>() -> &'static ValueType {
        &const { Of::<T>::TYPE }
    }

    /// Its address stands for `T`.
    #[inline(never)]
    pub(crate) fn describe<T: 'static>() -> &'static ValueType {
        ValueType::of::<T>()
    }

    /// The function that describes this type.
    pub(crate) fn itself(&self) -> Describe {
        self.itself
    }

    /// Is this the type of `T`?
    #[inline(always)]
    pub(crate) fn is<T: 'static>(&self) -> bool {
        std::ptr::eq(self, Self::of::<T>()) || self.id == TypeId::of::<T>()
    }

    pub(crate) fn same(&self, other: &ValueType) -> bool {
        std::ptr::eq(self, other) || self.id == other.id
    }

    pub(crate) fn name(&self) -> &'static str {
        (self.name)()
    }

    /// Does a value of this type travel inside the word, rather than by its address?
    pub(super) const fn fits_word(&self) -> bool {
        self.layout.size() <= size_of::<Word>() && self.layout.align() <= align_of::<Word>()
    }

    /// Moves the value that `word` carries to `to`.
    ///
    /// # Safety
    /// - `word` was made by [`pack`] from a value of this type that nobody has moved out yet.
    /// - `to` is writable for this type.
    pub(crate) unsafe fn unpack_to(&self, word: Word, to: *mut u8) {
        let size = self.layout.size();
        if self.fits_word() {
            // SAFETY: `size` bytes of the word are those of the value.
            unsafe { std::ptr::copy_nonoverlapping((&raw const word).cast::<u8>(), to, size) };
        } else {
            // SAFETY: the word is the address of the value, on a stack that has not moved on.
            unsafe { std::ptr::copy_nonoverlapping(word.assume_init(), to, size) };
        }
    }

    /// Drops the value at `value`.
    ///
    /// # Safety
    /// `value` addresses a live value of this type that nobody uses again.
    pub(crate) unsafe fn drop_at(&self, value: *mut u8) {
        if let Some(drop) = self.drop {
            // SAFETY: the caller's promise.
            unsafe { drop(value) }
        }
    }

    /// Drops the value that `word` carries.
    ///
    /// # Safety
    /// As [`ValueType::unpack_to`].
    pub(crate) unsafe fn drop_packed(&self, mut word: Word) {
        let at = if self.fits_word() {
            (&raw mut word).cast::<u8>()
        } else {
            // SAFETY: the word is the address of the value.
            unsafe { word.assume_init() }
        };
        // SAFETY: the caller's promise.
        unsafe { self.drop_at(at) }
    }
}

/// The word that carries `value`: its bytes if they fit, else its address in the sender's frame.
#[inline(always)]
pub(crate) fn pack<T: 'static>(value: &mut ManuallyDrop<T>) -> Word {
    if ValueType::of::<T>().fits_word() {
        let mut word = Word::uninit();
        // SAFETY: the value fits; the copy is the only one that is used from here on.
        unsafe {
            std::ptr::copy_nonoverlapping(
                (&raw const *value).cast::<u8>(),
                (&raw mut word).cast::<u8>(),
                size_of::<T>(),
            );
        }
        word
    } else {
        Word::new((&raw mut *value).cast())
    }
}

/// Moves the value out that `word` carries.
///
/// # Safety
/// `word` was made by [`pack`] from a `T` that nobody has moved out yet.
#[inline(always)]
pub(crate) unsafe fn unpack<T: 'static>(word: Word) -> T {
    if ValueType::of::<T>().fits_word() {
        // SAFETY: the first bytes of the word are those of a `T`; the word is aligned enough.
        unsafe { (&raw const word).cast::<T>().read() }
    } else {
        // SAFETY: the word is the address of a `T` in the sender's frame.
        unsafe { fetch(word.assume_init().cast::<T>()) }
    }
}

/// Moves a value out of the sender's frame.
///
/// A few words one by one: the sender has just written them like that, and a wider load would wait until
/// those stores have reached the cache.
///
/// # Safety
/// `from` addresses a live `T` that nobody uses again.
#[inline]
unsafe fn fetch<T>(from: *const T) -> T {
    type Part = MaybeUninit<*const ()>;
    const MOST: usize = 8;
    let parts = const { size_of::<T>() / size_of::<Part>() };
    let is_whole = const {
        size_of::<T>().is_multiple_of(size_of::<Part>()) && align_of::<T>() == align_of::<Part>()
    };
    if !is_whole || parts > MOST {
        // SAFETY: forwarded.
        return unsafe { from.read() };
    }
    let mut value = MaybeUninit::<T>::uninit();
    for part in 0..parts {
        // SAFETY: both have so many parts. Volatile, or the compiler would load several at once again.
        unsafe {
            let one = from.cast::<Part>().add(part).read_volatile();
            value.as_mut_ptr().cast::<Part>().add(part).write(one);
        }
    }
    // SAFETY: all parts of a live value; what lies between its fields may be anything.
    unsafe { value.assume_init() }
}

const INLINE_WORDS: usize = 3;

union Storage {
    inline: [MaybeUninit<usize>; INLINE_WORDS],
    heap: NonNull<u8>,
}

enum Content {
    Value { kind: &'static ValueType, storage: Storage },
    Exit(ChildExit),
}

/// What [`switch_any`](crate::Greenlet::switch_any) received: a value of any type, or the notice that a
/// greenlet below has ended and its result was dropped, because an ancestor in between could not take it.
///
/// Values up to three words are held in place, larger ones in a box.
///
/// ```
/// use greenlet::Greenlet;
/// let g = Greenlet::new(|x: i32| format!("got {x}"));
/// let answer = g.switch_any(7);
/// assert!(answer.is::<String>());
/// assert_eq!(answer.get::<String>(), "got 7");
/// ```
pub struct Received {
    content: Content,
    _not_send: std::marker::PhantomData<*mut ()>,
}

impl Received {
    pub(crate) fn from_exit(exit: ChildExit) -> Received {
        Received::new(Content::Exit(exit))
    }

    fn new(content: Content) -> Received {
        Received { content, _not_send: std::marker::PhantomData }
    }

    /// # Safety
    /// As [`ValueType::unpack_to`]; the value is moved into the result.
    pub(crate) unsafe fn from_packed(kind: &'static ValueType, word: Word) -> Received {
        let mut storage = Storage { inline: [MaybeUninit::uninit(); INLINE_WORDS] };
        if kind.fits_word() {
            // SAFETY: the first bytes of both are those of the value; a whole word needs no length.
            unsafe { (&raw mut storage).cast::<Word>().write(word) };
            return Received::new(Content::Value { kind, storage });
        }
        let at = if is_inline(kind) {
            (&raw mut storage).cast::<u8>()
        } else {
            storage.heap = boxed(kind.layout);
            // SAFETY: just set.
            unsafe { storage.heap.as_ptr() }
        };
        // SAFETY: `at` has room for the type; the rest is the caller's promise.
        unsafe { kind.unpack_to(word, at) };
        Received::new(Content::Value { kind, storage })
    }

    /// Whether it holds a `T`.
    pub fn is<T: 'static>(&self) -> bool {
        matches!(&self.content, Content::Value { kind, .. } if kind.is::<T>())
    }

    /// The value, which must be a `T`.
    ///
    /// # Panics
    /// If it holds another type or an exit; the text names both.
    #[track_caller]
    pub fn get<T: 'static>(self) -> T {
        match self.try_get() {
            Ok(value) => value,
            Err(other) => panic!("expected a value of type {}, received {other}", type_name::<T>()),
        }
    }

    /// The value if it is a `T`.
    ///
    /// # Errors
    /// Gives itself back when it holds another type or an exit.
    pub fn try_get<T: 'static>(self) -> Result<T, Received> {
        match &self.content {
            Content::Value { kind, storage } if kind.is::<T>() => {
                let mut value = MaybeUninit::<T>::uninit();
                // SAFETY: the storage holds a live `T`, which is moved out: `self` is forgotten.
                unsafe {
                    let from = address(kind, storage);
                    std::ptr::copy_nonoverlapping(from, value.as_mut_ptr().cast(), size_of::<T>());
                    free(kind, storage);
                    std::mem::forget(self);
                    Ok(value.assume_init())
                }
            }
            _ => Err(self),
        }
    }

    /// The notice that a greenlet below has ended and its result was dropped; `None` if this is a value.
    pub fn exit(&self) -> Option<&ChildExit> {
        match &self.content {
            Content::Exit(exit) => Some(exit),
            Content::Value { .. } => None,
        }
    }

    /// The name of the held type; `None` for an exit.
    pub fn type_name(&self) -> Option<&'static str> {
        match &self.content {
            Content::Value { kind, .. } => Some(kind.name()),
            Content::Exit(_) => None,
        }
    }
}

fn is_inline(kind: &ValueType) -> bool {
    kind.layout.size() <= size_of::<Storage>() && kind.layout.align() <= align_of::<Storage>()
}

/// Room for a value that is too large or too aligned to be held in place.
fn boxed(layout: Layout) -> NonNull<u8> {
    if layout.size() == 0 {
        // No bytes: any aligned address will do, and the allocator must not be asked.
        let Some(aligned) = NonNull::new(std::ptr::without_provenance_mut(layout.align())) else {
            unreachable!("an alignment is not 0")
        };
        return aligned;
    }
    // SAFETY: not empty.
    let place = unsafe { alloc(layout) };
    NonNull::new(place).unwrap_or_else(|| handle_alloc_error(layout))
}

fn address(kind: &ValueType, storage: &Storage) -> *const u8 {
    if is_inline(kind) {
        (&raw const *storage).cast()
    } else {
        // SAFETY: what is not inline is in the box.
        unsafe { storage.heap.as_ptr() }
    }
}

/// # Safety
/// The value was moved out or dropped, and the storage is not used again.
unsafe fn free(kind: &ValueType, storage: &Storage) {
    if !is_inline(kind) && kind.layout.size() != 0 {
        // SAFETY: the box was made with this layout.
        unsafe { dealloc(storage.heap.as_ptr(), kind.layout) }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if let Content::Value { kind, storage } = &mut self.content {
            struct Free<'a>(&'a ValueType, &'a mut Storage);
            impl Drop for Free<'_> {
                fn drop(&mut self) {
                    // SAFETY: runs once, after the value was dropped, also when that panicked.
                    unsafe { free(self.0, self.1) }
                }
            }
            let free = Free(kind, storage);
            let value = match is_inline(kind) {
                true => (&raw mut *free.1).cast(),
                // SAFETY: what is not inline is in the box.
                false => unsafe { free.1.heap.as_ptr() },
            };
            // SAFETY: the storage holds a live value, which nobody uses again.
            unsafe { kind.drop_at(value) }
        }
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::Value { kind, .. } => write!(f, "a value of type {}", kind.name()),
            Content::Exit(exit) => exit.fmt(f),
        }
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received({self})")
    }
}
