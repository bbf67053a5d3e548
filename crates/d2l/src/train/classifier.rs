//! The training that most classifiers of the book share.

use candle_core::Tensor;
use candle_nn::ModuleT;

use super::{History, TrainError, Trained, Trainer, evaluate_accuracy};
use crate::data::Batches;
use crate::ops::{Reduction, cross_entropy};
use crate::optim::Optimizer;

impl<'a> Trainer<'a> {
    /// Trains a net to give logits `(batch, classes)` for labels `(batch)`: minimizes the cross-entropy on `train`, and
    /// evaluates the accuracy on `test` after each epoch (section 6.6). The history has `train_loss`, `train_acc` and
    /// `test_acc`.
    ///
    /// # Errors
    /// As [`Trainer::run`].
    #[doc(alias = "train_ch6")]
    #[doc(alias = "train_ch13")]
    pub fn fit_classifier<B, O>(
        self,
        net: &'a impl ModuleT,
        train: &mut B,
        test: &'a mut impl Batches<Batch = (Tensor, Tensor)>,
        optimizer: &mut O,
    ) -> Result<History, TrainError>
    where
        B: Batches<Batch = (Tensor, Tensor)>,
        O: Optimizer + Trained,
    {
        let evaluated = self.each_epoch(move |epoch| epoch.metric("test_acc", evaluate_accuracy(net, test)?));
        evaluated.with(optimizer).run(train, |step, (x, y)| {
            let logits = net.forward_t(&x, true)?; // (batch, classes)
            let loss = cross_entropy(&logits, &y, Reduction::Mean)?;
            optimizer.minimize(&loss)?;
            step.accuracy(&logits, &y)?;
            step.loss(&loss, y.elem_count())
        })
    }
}
