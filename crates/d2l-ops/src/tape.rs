//! Gradients handed from one operation to the next beside candle's store.
//!
//! candle's backward pass keeps gradients in a store: for each argument of each operation it fills a tensor with zeros
//! and adds the operation's gradient to it into a third one, four passes over memory that need none where an
//! argument is used once. So candle knows the result of an operation of this crate in two ways:
//!
//! - as the tensor that callers see, `y`, for candle's own operations and those who ask the store;
//! - as a *token*, a tensor of one element, which stands for `y` in the graph between this crate's operations.
//!
//! ```text
//!   x ─ entry ─▶ token of x ─ operation ─▶ token of y ─ operation ─▶ token of z ─ exit ─▶ z
//!                    ▲                         ▲  └ exit ─▶ y
//!   slots:     gradient of x             gradient of y
//! ```
//!
//! candle walks over the tokens in its order, with gradients of one element. The true ones wait in the token's *slot*,
//! to which every user of the tensor adds its own, and from which the operation that made it takes their sum. Where a
//! tensor comes from candle (`x`: a variable, or a result of its own operations), an *entry* hands the sum to the store; where
//! one goes to candle, an *exit* puts what the store has into the slot. A tensor finds its token by its id.
//!
//! Products that make a weight's gradient wait in the slot unmultiplied: a weight that is used at each of 35 steps has
//! one product over all steps. So do the gradients of rows that were looked up in a table: where the table is a variable
//! and used for nothing else, [`backward`] gives them as they are, and the rest of the table is never written.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, ThreadId};

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Device, Layout, Result, Shape, Storage, Tensor, TensorId, bail,
};

use super::Gradients;
use super::kernel::{self, Float, for_float};
use super::matmul::stacked_products;
use super::parallel;
use super::recording::records;
use super::row;
use super::row_gradient::{Lookup, RowGradient};

/// What an operation gives for one of its arguments.
pub(crate) enum Gradient {
    /// The argument needs none.
    Unused,
    /// Of the argument's shape.
    Whole(Tensor),
    /// `aᵀ b` for `a` of `(n, rows)` and `b` of `(n, columns)`, both contiguous.
    Product(Tensor, Tensor),
    /// Of rows of the argument.
    Rows(Lookup),
}

impl From<Option<Tensor>> for Gradient {
    fn from(gradient: Option<Tensor>) -> Self {
        gradient.map_or(Self::Unused, Self::Whole)
    }
}

/// An operation as the tape sees it.
pub(crate) trait Operation: Send + Sync + 'static {
    /// The result's elements and shape.
    fn forward(&self, arguments: &[Tensor]) -> Result<(CpuStorage, Shape)>;

    /// A gradient for each argument, from the result and its gradient.
    fn backward(&self, arguments: &[Tensor], result: &Tensor, grad: &Tensor) -> Result<Vec<Gradient>>;
}

/// [`apply`] for candle's operations of one argument.
pub(crate) fn apply1(x: &Tensor, op: impl CustomOp1 + Send + Sync + 'static) -> Result<Tensor> {
    apply(vec![x.clone()], One(op))
}

/// [`apply`] for candle's operations of two arguments.
pub(crate) fn apply2(x: &Tensor, y: &Tensor, op: impl CustomOp2 + Send + Sync + 'static) -> Result<Tensor> {
    apply(vec![x.clone(), y.clone()], Two(op))
}

/// [`apply`] for candle's operations of three arguments.
pub(crate) fn apply3(x: &Tensor, y: &Tensor, z: &Tensor, op: impl CustomOp3 + Send + Sync + 'static) -> Result<Tensor> {
    apply(vec![x.clone(), y.clone(), z.clone()], Three(op))
}

/// The result of an operation on tensors on the CPU, part of the graph where an argument is.
pub(crate) fn apply(arguments: Vec<Tensor>, op: impl Operation) -> Result<Tensor> {
    let (storage, shape) = op.forward(&arguments)?;
    if !records() || !arguments.iter().any(Tensor::track_op) {
        return Ok(Tensor::from_storage(Storage::Cpu(storage), shape, candle_core::op::BackpropOp::none(), false));
    }
    let links: Vec<Option<Arc<Link>>> = arguments
        .iter()
        .map(|argument| argument.track_op().then(|| Link::of(argument)).transpose())
        .collect::<Result<_>>()?;
    let tokens: Vec<Tensor> = links.iter().flatten().map(|link| link.token.clone()).collect();
    let slot = Arc::new(Slot::default());
    let result = Arc::new(OnceLock::new());
    let node = Node { op, arguments, links, result: Arc::clone(&result), slot: Arc::clone(&slot) };
    let node = Token(Arc::new(node));
    // candle's custom operations take three tensors at most; more tokens go in as one.
    let token = match &tokens[..] {
        [x] => x.apply_op1(node)?,
        [x, y] => x.apply_op2(y, node)?,
        [x, y, z] => x.apply_op3(y, z, node)?,
        _ => Tensor::cat(&tokens, 0)?.apply_op1(node)?,
    };
    let link = Arc::new(Link { token: token.clone(), slot, stands_for: OnceLock::new() });
    let exit = Exit { link: Arc::clone(&link), value: Mutex::new(Some((storage, shape))) };
    let y = token.apply_op1(exit)?;
    link.register(&y);
    result.get_or_init(|| y.detach());
    Ok(y)
}

/// The gradients of `loss`, a scalar or the sum of its elements, for all variables that it depends on (section 2.5): as
/// candle's `loss.backward()`, but without a copy of each variable's gradient.
///
/// # Errors
/// Where an operation has no gradient.
pub fn backward(loss: &Tensor) -> Result<Gradients> {
    let before = VARIABLES.replace(Some(Vec::new()));
    let grads = loss.backward();
    let gathered = VARIABLES.replace(before).unwrap_or_default();
    let mut grads = grads?;
    let mut rows: HashMap<TensorId, RowGradient> = HashMap::new();
    for (variable, grad) in gathered {
        // Operations of candle's may have used the variable as well.
        let other = match rows.remove(&variable.id()) {
            Some(other) => Some(other.whole()?.clone()),
            None => grads.remove(&variable),
        };
        match (other, grad) {
            (None, OfVariable::Rows(grad)) => drop(rows.insert(variable.id(), grad)),
            (None, OfVariable::Whole(grad)) => drop(grads.insert(&variable, grad)),
            (Some(other), OfVariable::Rows(grad)) => drop(grads.insert(&variable, (other + grad.whole()?)?)),
            (Some(other), OfVariable::Whole(grad)) => drop(grads.insert(&variable, (other + grad)?)),
        }
    }
    Ok(Gradients::new(grads, rows))
}

/// The gradient of a variable.
enum OfVariable {
    Whole(Tensor),
    Rows(RowGradient),
}

thread_local! {
    /// While [`backward`] runs on this thread: the gradients of variables, which then do not go through the store.
    static VARIABLES: RefCell<Option<Vec<(Tensor, OfVariable)>>> = const { RefCell::new(None) };
}

/// A tensor's token and slot.
struct Link {
    token: Tensor,
    slot: Arc<Slot>,
    stands_for: OnceLock<TensorId>,
}

/// The links of living tensors. A link is kept by those who use it: a result's exit, or the operations on a tensor.
static LINKS: LazyLock<Mutex<HashMap<TensorId, Weak<Link>>>> = LazyLock::new(Mutex::default);

/// A panic elsewhere leaves what these locks guard whole: each change is one insertion or removal.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// The link of a tensor that needs a gradient; a new one, through an entry, where it has none.
    fn of(tensor: &Tensor) -> Result<Arc<Self>> {
        if let Some(link) = lock(&LINKS).get(&tensor.id()).and_then(Weak::upgrade) {
            return Ok(link);
        }
        let slot = Arc::new(Slot::default());
        let token = tensor.apply_op1(Entry(Arc::clone(&slot)))?;
        let link = Arc::new(Self { token, slot, stands_for: OnceLock::new() });
        link.register(tensor);
        Ok(link)
    }

    fn register(self: &Arc<Self>, tensor: &Tensor) {
        self.stands_for.get_or_init(|| tensor.id());
        lock(&LINKS).insert(tensor.id(), Arc::downgrade(self));
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(id) = self.stands_for.get() {
            let mut links = lock(&LINKS);
            // Another thread may have registered a new link meanwhile.
            if links.get(id).is_some_and(|link| link.strong_count() == 0) {
                links.remove(id);
            }
        }
    }
}

/// The gradients that reached a tensor in the backward pass that runs on each thread.
#[derive(Default)]
struct Slot(Mutex<Vec<(ThreadId, Sum)>>);

/// A sum of gradients.
#[derive(Default)]
struct Sum {
    whole: Option<Tensor>,
    /// Whether `whole` is this sum's alone, and so may be added to in place.
    owned: bool,
    products: Vec<(Tensor, Tensor)>,
    rows: Vec<Lookup>,
}

impl Slot {
    fn add(&self, gradient: Gradient) -> Result<()> {
        let (mut sums, thread) = (lock(&self.0), thread::current().id());
        let at = sums.iter().position(|(owner, _)| *owner == thread).unwrap_or_else(|| {
            sums.push((thread, Sum::default()));
            sums.len() - 1
        });
        sums[at].1.add(gradient)
    }

    fn take(&self, shape: &Shape) -> Result<Option<Tensor>> {
        self.take_sum().finish(shape)
    }

    /// What there is so far for this thread, maybe nothing.
    fn take_sum(&self) -> Sum {
        let (mut sums, thread) = (lock(&self.0), thread::current().id());
        let at = sums.iter().position(|(owner, _)| *owner == thread);
        at.map(|at| sums.swap_remove(at).1).unwrap_or_default()
    }
}

impl Sum {
    fn add(&mut self, gradient: Gradient) -> Result<()> {
        match (gradient, self.whole.take()) {
            (Gradient::Unused, whole) => self.whole = whole,
            (Gradient::Product(a, b), whole) => {
                self.whole = whole;
                self.products.push((a, b));
            }
            (Gradient::Rows(lookup), whole) => {
                self.whole = whole;
                self.rows.push(lookup);
            }
            (Gradient::Whole(grad), None) => self.whole = Some(grad),
            (Gradient::Whole(grad), Some(whole)) => {
                self.whole = Some(for_float!("gradient", whole.dtype(), T => add::<T>(whole, &grad, self.owned)?));
                self.owned = true;
            }
        }
        Ok(())
    }

    fn finish(mut self, shape: &Shape) -> Result<Option<Tensor>> {
        if !self.rows.is_empty() {
            let whole = RowGradient::of(&std::mem::take(&mut self.rows), shape)?.whole()?.clone();
            self.add(Gradient::Whole(whole))?;
        }
        let Some((first, _)) = self.products.first() else { return Ok(self.whole) };
        let products = for_float!("gradient", first.dtype(), T => {
            Tensor::from_vec(stacked_products::<T>(&self.products)?, shape, &Device::Cpu)?
        });
        match self.whole {
            Some(whole) => Ok(Some(for_float!("gradient", whole.dtype(), T => add::<T>(products, &whole, true)?))),
            None => Ok(Some(products)),
        }
    }

    /// [`Sum::finish`] for a variable.
    fn finish_variable(self, shape: &Shape) -> Result<Option<OfVariable>> {
        if self.whole.is_none() && self.products.is_empty() && !self.rows.is_empty() {
            return Ok(Some(OfVariable::Rows(RowGradient::of(&self.rows, shape)?)));
        }
        Ok(self.finish(shape)?.map(OfVariable::Whole))
    }
}

/// `sum + grad`, in the sum's own buffer where it is `owned`.
fn add<T: Float>(sum: Tensor, grad: &Tensor, owned: bool) -> Result<Tensor> {
    if owned && sum.is_contiguous() {
        kernel::write_with::<T>(&sum, grad, |sum, grad| {
            let blocks: Vec<_> = sum.chunks_mut(parallel::BLOCK).zip(grad.chunks(parallel::BLOCK)).collect();
            parallel::run(blocks, |(sum, grad)| row::update(sum, [grad], |sum, [grad]| sum + grad));
            Ok(())
        })?;
        return Ok(sum);
    }
    kernel::from_two::<T>([&sum, grad], sum.shape(), |a, b| parallel::map([a, b], |[a, b]| a + b))
}

/// An operation in the graph.
struct Node<O> {
    op: O,
    arguments: Vec<Tensor>,
    /// Of the arguments that need a gradient.
    links: Vec<Option<Arc<Link>>>,
    result: Arc<OnceLock<Tensor>>,
    slot: Arc<Slot>,
}

/// What a token does when candle comes to it.
trait Pass: Send + Sync {
    /// Takes the sum from the token's slot and adds to those of the arguments.
    fn pass(&self) -> Result<()>;
}

impl<O: Operation> Pass for Node<O> {
    fn pass(&self) -> Result<()> {
        let Some(result) = self.result.get() else { bail!("the backward pass came before the forward pass") };
        let Some(grad) = self.slot.take(result.shape())? else { return Ok(()) };
        let grads = self.op.backward(&self.arguments, result, &grad)?;
        self.links
            .iter()
            .zip(grads)
            .try_for_each(|(link, grad)| link.as_ref().map_or(Ok(()), |link| link.slot.add(grad)))
    }
}

/// The elements and the shape of a token.
fn token() -> (CpuStorage, Shape) {
    (CpuStorage::F32(vec![0.0]), Shape::from(1))
}

/// An operation between tokens.
struct Token(Arc<dyn Pass>);

const TOKEN: &str = "token";

impl CustomOp1 for Token {
    fn name(&self) -> &'static str {
        TOKEN
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(token())
    }

    fn bwd(&self, tokens: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        self.0.pass()?;
        tokens.zeros_like().map(Some)
    }
}

impl CustomOp2 for Token {
    fn name(&self) -> &'static str {
        TOKEN
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(token())
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.0.pass()?;
        Ok((Some(grad.clone()), Some(grad.clone())))
    }
}

impl CustomOp3 for Token {
    fn name(&self) -> &'static str {
        TOKEN
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok(token())
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        self.0.pass()?;
        Ok((Some(grad.clone()), Some(grad.clone()), Some(grad.clone())))
    }
}

/// From a tensor to its token; back, the slot's sum goes to candle's store.
struct Entry(Arc<Slot>);

impl CustomOp1 for Entry {
    fn name(&self) -> &'static str {
        "entry"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(token())
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        if !x.is_variable() {
            // candle wants a gradient for each node that it comes to, but not for variables.
            return self.0.take(x.shape())?.map_or_else(|| x.zeros_like(), Ok).map(Some);
        }
        let gathers = VARIABLES.with_borrow(Option::is_some);
        if !gathers {
            return self.0.take(x.shape());
        }
        if let Some(grad) = self.0.take_sum().finish_variable(x.shape())? {
            VARIABLES.with_borrow_mut(|variables| variables.get_or_insert_default().push((x.clone(), grad)));
        }
        Ok(None)
    }
}

/// From a token to the tensor that it stands for; back, what candle's store has for that goes to the slot.
struct Exit {
    link: Arc<Link>,
    /// The tensor's elements, until candle asks for them.
    value: Mutex<Option<(CpuStorage, Shape)>>,
}

impl CustomOp1 for Exit {
    fn name(&self) -> &'static str {
        "exit"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        match lock(&self.value).take() {
            Some(value) => Ok(value),
            None => bail!("a result was asked for twice"),
        }
    }

    fn bwd(&self, token: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        self.link.slot.add(Gradient::Whole(grad.clone()))?;
        Ok(Some(Tensor::zeros(token.shape(), DType::F32, &Device::Cpu)?))
    }
}

/// candle's operations as the tape's.
struct One<O>(O);
struct Two<O>(O);
struct Three<O>(O);

/// Calls `body` with the storages and layouts of the arguments.
macro_rules! with_storages {
    ($arguments:expr, [$($storage:ident $layout:ident),*] => $body:expr) => {{
        let [$($storage),*] = $arguments else { bail!("expected another number of arguments") };
        $(let $storage = $storage.storage_and_layout();
        let $layout = $storage.1;
        let Storage::Cpu($storage) = &*$storage.0 else { bail!("expected tensors on the CPU") };)*
        $body
    }};
}

impl<O: CustomOp1 + Send + Sync + 'static> Operation for One<O> {
    fn forward(&self, arguments: &[Tensor]) -> Result<(CpuStorage, Shape)> {
        with_storages!(arguments, [x xl] => self.0.cpu_fwd(x, xl))
    }

    fn backward(&self, arguments: &[Tensor], result: &Tensor, grad: &Tensor) -> Result<Vec<Gradient>> {
        let [x] = arguments else { bail!("expected one argument") };
        Ok(vec![self.0.bwd(x, result, grad)?.into()])
    }
}

impl<O: CustomOp2 + Send + Sync + 'static> Operation for Two<O> {
    fn forward(&self, arguments: &[Tensor]) -> Result<(CpuStorage, Shape)> {
        with_storages!(arguments, [x xl, y yl] => self.0.cpu_fwd(x, xl, y, yl))
    }

    fn backward(&self, arguments: &[Tensor], result: &Tensor, grad: &Tensor) -> Result<Vec<Gradient>> {
        let [x, y] = arguments else { bail!("expected two arguments") };
        let (x, y) = self.0.bwd(x, y, result, grad)?;
        Ok(vec![x.into(), y.into()])
    }
}

impl<O: CustomOp3 + Send + Sync + 'static> Operation for Three<O> {
    fn forward(&self, arguments: &[Tensor]) -> Result<(CpuStorage, Shape)> {
        with_storages!(arguments, [x xl, y yl, z zl] => self.0.cpu_fwd(x, xl, y, yl, z, zl))
    }

    fn backward(&self, arguments: &[Tensor], result: &Tensor, grad: &Tensor) -> Result<Vec<Gradient>> {
        let [x, y, z] = arguments else { bail!("expected three arguments") };
        let (x, y, z) = self.0.bwd(x, y, z, result, grad)?;
        Ok(vec![x.into(), y.into(), z.into()])
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;
    use crate::{relu, tanh};

    #[test]
    fn links_go_with_the_tensors_that_they_stand_for() -> Result<()> {
        let x = Var::zeros((2, 3), DType::F32, &Device::Cpu)?;
        let (y, z) = (relu(&x)?, tanh(&x)?);
        let ids = [x.id(), y.id(), z.id()];
        let known = || ids.map(|id| lock(&LINKS).contains_key(&id));
        assert_eq!(known(), [true; 3]);
        drop(y);
        assert_eq!(known(), [true, false, true]);
        backward(&z)?;
        drop(z);
        assert_eq!(known(), [false; 3]);
        Ok(())
    }

    #[test]
    fn what_needs_no_gradient_has_no_link() -> Result<()> {
        let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
        let y = relu(&x)?;
        assert!(!y.track_op() && !lock(&LINKS).contains_key(&x.id()) && !lock(&LINKS).contains_key(&y.id()));
        Ok(())
    }
}
