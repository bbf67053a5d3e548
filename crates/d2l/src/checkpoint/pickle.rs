//! Pickles as far as PyTorch's files need them: values, not code. Nothing that a pickle names is imported or called.

use std::collections::{HashMap, HashSet};

/// Why a pickle cannot be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is cut short, or its instructions make no sense.
    Damaged(&'static str),
    /// It is sound, as far as it was read, and has what is not understood here.
    Unsupported(String),
}

type Result<T> = std::result::Result<T, Fault>;

/// The place of a value among a pickle's nodes: what is shared, or holds itself, stands there once.
pub(super) type Id = usize;

/// A value.
#[derive(Debug)]
pub(super) enum Node {
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// A class or function, such as `torch._utils _rebuild_tensor_v2`.
    Global(String),
    /// A tuple, a list or a set.
    Items(Vec<Id>),
    /// A dictionary of any class, with its keys and values in their order.
    Dict(Vec<(Id, Id)>),
    /// What a function or class makes of its arguments, with the state that it is given afterwards.
    Call { function: Id, args: Id, state: Option<Id> },
    /// Something outside of the pickle: with PyTorch, a storage.
    Persistent(Id),
    /// Anything else: nothing, a truth value, a float, bytes.
    Other,
}

/// A pickle's values.
#[derive(Debug)]
pub(super) struct Pickle {
    nodes: Vec<Node>,
    root: Id,
}

impl Pickle {
    /// Reads a pickle of protocols 2 to 5.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        Self::parse_first(bytes).map(|(pickle, _)| pickle)
    }

    /// Reads the pickle that comes first, and says how many bytes it has.
    pub(super) fn parse_first(bytes: &[u8]) -> Result<(Self, usize)> {
        let mut machine =
            Machine { input: bytes, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
        while machine.step()? {}
        let root = machine.pop()?;
        let length = bytes.len() - machine.input.len();
        Ok((Self { nodes: machine.nodes, root }, length))
    }

    /// What refers to something outside of the pickle.
    pub(super) fn persistent(&self) -> impl Iterator<Item = Id> {
        self.nodes.iter().filter_map(|node| match node {
            &Node::Persistent(id) => Some(id),
            _ => None,
        })
    }

    /// The value that was pickled.
    pub(super) fn root(&self) -> Id {
        self.root
    }

    /// A value.
    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// The name of a class or function.
    pub(super) fn global(&self, id: Id) -> Option<&str> {
        match self.node(id) {
            Node::Global(name) => Some(name),
            _ => None,
        }
    }

    /// The items of a tuple or list.
    pub(super) fn items(&self, id: Id) -> Option<&[Id]> {
        match self.node(id) {
            Node::Items(items) => Some(items),
            _ => None,
        }
    }

    /// A text, or a whole number as one: what keys are.
    pub(super) fn name(&self, id: Id) -> Option<String> {
        match self.node(id) {
            Node::Text(text) => Some(text.clone()),
            Node::Int(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A number that is not negative.
    pub(super) fn size(&self, id: Id) -> Option<usize> {
        match self.node(id) {
            &Node::Int(number) => usize::try_from(number).ok(),
            _ => None,
        }
    }

    /// Whether a value, or whatever it holds, refers to something outside of the pickle.
    pub(super) fn is_persistent_within(&self, id: Id) -> bool {
        let (mut waiting, mut seen) = (vec![id], HashSet::new());
        while let Some(id) = waiting.pop() {
            if !seen.insert(id) {
                continue;
            }
            match self.node(id) {
                Node::Persistent(_) => return true,
                Node::Items(items) => waiting.extend(items),
                Node::Dict(pairs) => waiting.extend(pairs.iter().flat_map(|&(key, value)| [key, value])),
                Node::Call { function, args, state } => waiting.extend([function, args].into_iter().chain(state)),
                Node::Int(_) | Node::Text(_) | Node::Global(_) | Node::Other => {}
            }
        }
        false
    }
}

const SHORT: Fault = Fault::Damaged("its pickle is cut short");
const EMPTY: Fault = Fault::Damaged("its pickle takes more values than it has");
const MISPLACED: Fault = Fault::Damaged("its pickle puts a value where there is no place for it");

/// What runs a pickle's instructions.
struct Machine<'a> {
    input: &'a [u8],
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// How long the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl Machine<'_> {
    /// Runs an instruction; tells whether there is another.
    fn step(&mut self) -> Result<bool> {
        match self.take(1)?[0] {
            b'.' => return Ok(false),
            0x80 => {
                let version = self.take(1)?[0];
                if version > 5 {
                    return Err(Fault::Unsupported(format!(
                        "its pickle is of protocol {version}; up to 5 can be read"
                    )));
                }
            }
            0x95 => drop(self.take(8)?), // the length of a frame
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            // Values.
            b'N' | 0x88 | 0x89 => self.push(Node::Other),
            b'G' => self.skipped(8)?,
            b'K' => self.int(1)?,
            b'M' => self.int(2)?,
            b'J' => {
                let bytes = self.array::<4>()?;
                self.push(Node::Int(i32::from_le_bytes(bytes).into()));
            }
            0x8a => self.long(1)?,
            0x8b => self.long(4)?,
            0x8c | b'U' => self.text(1)?,
            b'X' | b'T' => self.text(4)?,
            0x8d => self.text(8)?,
            b'C' => self.bytes(1)?,
            b'B' => self.bytes(4)?,
            0x8e | 0x96 => self.bytes(8)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Node::Global(format!("{module} {name}")));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Node::Text(module), Node::Text(name)) = (&self.nodes[module], &self.nodes[name]) else {
                    return Err(MISPLACED);
                };
                let global = Node::Global(format!("{module} {name}"));
                self.push(global);
            }
            // The memo.
            b'q' => self.memoize(1)?,
            b'r' => self.memoize(4)?,
            0x94 => {
                let (place, top) = (self.memo.len() as u64, self.top()?);
                self.memo.insert(place, top);
            }
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
            other => self.collect(other)?,
        }
        Ok(true)
    }

    /// Runs an instruction that makes or fills a collection or an object.
    fn collect(&mut self, instruction: u8) -> Result<()> {
        match instruction {
            b')' | b']' | 0x8f => self.push(Node::Items(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b't' | 0x91 => {
                let items = self.since_mark()?;
                self.push(Node::Items(items));
            }
            length @ 0x85..=0x87 => {
                let mut items = (0x84..length).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
                items.reverse();
                self.push(Node::Items(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.since_mark()?;
                self.append(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set_items(&items)?;
            }
            b'R' | 0x81 => {
                let (args, function) = (self.pop()?, self.pop()?);
                self.call(function, args);
            }
            0x92 => {
                let (_keywords, args, function) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(function, args);
            }
            b'b' => {
                let (new, top) = (self.pop()?, self.top()?);
                // A dictionary's own attributes, such as the versions that PyTorch notes, are no entries.
                if let Node::Call { state, .. } = &mut self.nodes[top] {
                    *state = Some(new);
                }
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id));
            }
            other => return Err(Fault::Unsupported(format!("its pickle has the instruction 0x{other:02X}"))),
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&[u8]> {
        let (taken, rest) = self.input.split_at_checked(count).ok_or(SHORT)?;
        self.input = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| SHORT)
    }

    /// A number without a sign, of so many bytes.
    fn number(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// As many bytes as a number before them says, which has `width` bytes itself.
    fn counted(&mut self, width: usize) -> Result<&[u8]> {
        let count = usize::try_from(self.number(width)?).map_err(|_| SHORT)?;
        self.take(count)
    }

    fn line(&mut self) -> Result<String> {
        let end = self.input.iter().position(|&byte| byte == b'\n').ok_or(SHORT)?;
        let line = String::from_utf8_lossy(&self.input[..end]).into_owned();
        self.input = &self.input[end + 1..];
        Ok(line)
    }

    fn push(&mut self, node: Node) {
        self.nodes.push(node);
        self.stack.push(self.nodes.len() - 1);
    }

    fn pop(&mut self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() > floor { self.stack.pop().ok_or(EMPTY) } else { Err(EMPTY) }
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().ok_or(EMPTY)
    }

    /// The values since the last mark.
    fn since_mark(&mut self) -> Result<Vec<Id>> {
        let start = self.marks.pop().ok_or(EMPTY)?;
        Ok(self.stack.split_off(start))
    }

    fn int(&mut self, bytes: usize) -> Result<()> {
        let number = self.number(bytes)?;
        self.push(Node::Int(number as i64));
        Ok(())
    }

    /// A whole number in two's complement; one of more than eight bytes is no size of anything.
    fn long(&mut self, width: usize) -> Result<()> {
        let bytes = self.counted(width)?;
        let fill = if bytes.last().is_some_and(|&last| last >= 0x80) { 0xff } else { 0 };
        let mut filled = [fill; 8];
        let node = if bytes.len() <= 8 {
            filled[..bytes.len()].copy_from_slice(bytes);
            Node::Int(i64::from_le_bytes(filled))
        } else {
            Node::Other
        };
        self.push(node);
        Ok(())
    }

    fn text(&mut self, width: usize) -> Result<()> {
        let text = String::from_utf8_lossy(self.counted(width)?).into_owned();
        self.push(Node::Text(text));
        Ok(())
    }

    fn bytes(&mut self, width: usize) -> Result<()> {
        self.counted(width)?;
        self.push(Node::Other);
        Ok(())
    }

    fn skipped(&mut self, count: usize) -> Result<()> {
        self.take(count)?;
        self.push(Node::Other);
        Ok(())
    }

    fn append(&mut self, new: &[Id]) -> Result<()> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::Items(items) => items.extend(new),
            _ => return Err(MISPLACED),
        }
        Ok(())
    }

    /// Puts keys and values, by turns, into the dictionary on top of the stack; what a class made is one if it takes them.
    fn set_items(&mut self, new: &[Id]) -> Result<()> {
        let top = self.top()?;
        if !new.len().is_multiple_of(2) {
            return Err(MISPLACED);
        }
        let new = new.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        match &mut self.nodes[top] {
            Node::Dict(pairs) => pairs.extend(new),
            node @ Node::Call { .. } => *node = Node::Dict(new.collect()),
            _ => return Err(MISPLACED),
        }
        Ok(())
    }

    fn call(&mut self, function: Id, args: Id) {
        let is_dict = matches!(&self.nodes[function], Node::Global(name) if name == "collections OrderedDict");
        let is_empty = matches!(&self.nodes[args], Node::Items(items) if items.is_empty());
        let node =
            if is_dict && is_empty { Node::Dict(Vec::new()) } else { Node::Call { function, args, state: None } };
        self.push(node);
    }

    fn memoize(&mut self, width: usize) -> Result<()> {
        let (place, top) = (self.number(width)?, self.top()?);
        self.memo.insert(place, top);
        Ok(())
    }

    fn recall(&mut self, width: usize) -> Result<()> {
        let place = self.number(width)?;
        let id = self.memo.get(&place).copied().ok_or(Fault::Damaged("its pickle recalls what it has not kept"))?;
        self.stack.push(id);
        Ok(())
    }
}
