// What a person types stays until an answer knows of it: `taken` is the number of the last entry in `values`.
export default {
  data: () => ({shown: {}, sent: {}, typed: '', turn: 0}),
  created() {
    this.turn = this.taken
    this.follow()
  },
  watch: {
    fields() { this.follow() },
    values() { this.follow() },
    taken() { this.follow() }
  },
  methods: {
    waits(key) { return (this.sent[key] || 0) > this.taken },
    wrong(key) { return this.waits(key) ? '' : this.errors[key] || '' },
    follow() {
      for (const {key} of this.fields) {
        if (key != this.typed && !this.waits(key)) this.shown[key] = this.values[key] || ''
      }
    },
    type(key, text) {
      this.typed = key
      this.shown[key] = text
    },
    leave() {
      this.typed = ''
      this.follow()
    },
    keep(key, text) {
      this.typed = ''
      this.shown[key] = text
      this.sent[key] = this.turn
    },
    enter(key, text) {
      this.turn += 1
      this.keep(key, text)
      this.set_value([key, text, this.turn])
    },
    clear() {
      this.turn += 1
      for (const {key} of this.fields) this.keep(key, this.kept[key] || '')
      this.clear_values(this.turn)
    }
  }
}
