export default {
  mounted() { this.begin() }
}
